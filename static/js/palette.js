// The command palette (Ctrl+K or ⌘K). Filters the options in the page.

import { isComposing } from "./keys.js";

const palette = document.querySelector("#palette");
if (palette) {
  const input = palette.querySelector("input");
  const noResults = palette.querySelector(".none");
  const idOption = palette.querySelector("[data-by-id]");
  const searchUrl = idOption.querySelector("a").getAttribute("href");
  const options = [...palette.querySelectorAll("[role=option]")];
  let selected = null;

  const select = (option) => {
    selected?.setAttribute("aria-selected", "false");
    selected = option ?? null;
    selected?.setAttribute("aria-selected", "true");
    selected?.scrollIntoView({ block: "nearest" });
    if (selected) input.setAttribute("aria-activedescendant", selected.id);
    else input.removeAttribute("aria-activedescendant");
  };
  const visibleOptions = () => options.filter((option) => !option.hidden);
  const filterOptions = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const id = /^\s*(c[0-9a-z]{24})\s*$/.exec(input.value)?.[1];
    idOption.hidden = !id;
    if (id) idOption.querySelector("a").href = searchUrl + id;
    for (const option of options) {
      if (option === idOption) continue;
      const text = option.textContent.toLowerCase();
      option.hidden = !words.every((word) => text.includes(word));
    }
    noResults.querySelector("[data-query]").textContent = input.value.trim();
    noResults.hidden = visibleOptions().length > 0;
    select(visibleOptions()[0]);
  };
  const open = () => {
    input.value = "";
    filterOptions();
    palette.showModal();
  };

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!palette.open) open();
    }
  });
  for (const button of document.querySelectorAll("[data-palette]")) button.addEventListener("click", open);
  input.addEventListener("input", filterOptions);
  input.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    const visible = visibleOptions();
    const index = visible.indexOf(selected);
    if (event.key === "ArrowDown") select(visible[Math.min(index + 1, visible.length - 1)]);
    else if (event.key === "ArrowUp") select(visible[Math.max(index - 1, 0)]);
    else if (event.key === "Enter") selected?.querySelector("a").click();
    else return;
    event.preventDefault();
  });
}
