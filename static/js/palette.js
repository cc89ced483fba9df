// The command palette: Ctrl or ⌘ and K. Finds the entries that the server wrote into the page.

const palette = document.querySelector("#palette");
if (palette) {
  const input = palette.querySelector("input");
  const none = palette.querySelector(".none");
  const byId = palette.querySelector("[data-by-id]");
  const findsAt = byId.querySelector("a").getAttribute("href");
  const options = [...palette.querySelectorAll("[role=option]")];
  let chosen = null;

  const choose = (option) => {
    chosen?.setAttribute("aria-selected", "false");
    chosen = option ?? null;
    chosen?.setAttribute("aria-selected", "true");
    chosen?.scrollIntoView({ block: "nearest" });
    if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
    else input.removeAttribute("aria-activedescendant");
  };
  const shown = () => options.filter((option) => !option.hidden);
  const find = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const id = /^\s*(c[0-9a-z]{24})\s*$/.exec(input.value)?.[1];
    byId.hidden = !id;
    if (id) byId.querySelector("a").href = findsAt + id;
    for (const option of options) {
      if (option === byId) continue;
      const text = option.textContent.toLowerCase();
      option.hidden = !words.every((word) => text.includes(word));
    }
    none.querySelector("[data-query]").textContent = input.value.trim();
    none.hidden = shown().length > 0;
    choose(shown()[0]);
  };
  const open = () => {
    input.value = "";
    find();
    palette.showModal();
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!palette.open) open();
    }
  });
  for (const button of document.querySelectorAll("[data-palette]")) button.addEventListener("click", open);
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    const list = shown();
    const at = list.indexOf(chosen);
    if (event.key === "ArrowDown") choose(list[Math.min(at + 1, list.length - 1)]);
    else if (event.key === "ArrowUp") choose(list[Math.max(at - 1, 0)]);
    else if (event.key === "Enter") chosen?.querySelector("a").click();
    else return;
    event.preventDefault();
  });
}
