// The docs pages: languages that stay chosen, copying an example, sending a message to the echo.

const examples = [...document.querySelectorAll("[data-example]")];
const tabsOf = (example) => [...example.querySelectorAll("[role=tab]")];
const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

// Show a language in every example that has it; the others keep what they show.
const choose = (language) => {
  for (const example of examples) {
    const tabs = tabsOf(example);
    if (!tabs.some((tab) => tab.dataset.language === language)) continue;
    for (const tab of tabs) {
      const chosen = tab.dataset.language === language;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      panelOf(tab).hidden = !chosen;
    }
  }
};
const remember = (language) => {
  choose(language);
  document.cookie = `language=${language}; path=/; max-age=31536000; samesite=lax`;
};

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
for (const example of examples) {
  const tabs = tabsOf(example);
  for (const tab of tabs) {
    tab.addEventListener("click", () => remember(tab.dataset.language));
    tab.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      remember(next.dataset.language);
      next.focus();
    });
  }
  const copy = example.querySelector("[data-copy-example]");
  copy.addEventListener("click", async () => {
    const shown = example.querySelector("[role=tabpanel]:not([hidden])");
    await navigator.clipboard.writeText(shown.textContent);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
}

// Where the list of pages is a strip that scrolls, it begins with the page that one is on.
const here = document.querySelector(".docs-pages [aria-current]");
const strip = here?.closest(".docs-pages");
if (strip) strip.scrollLeft = here.getBoundingClientRect().left - strip.getBoundingClientRect().left;

// Try it: what came back, headers first, as curl --include would show it.
const form = document.querySelector("[data-try]");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const shown = document.querySelector("[data-try-answer]");
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ message: form.elements.message.value, stream: form.elements.stream.checked }),
    });
    const text = await answer.text();
    const type = answer.headers.get("Content-Type");
    const head = [`HTTP ${answer.status}`, `Content-Type: ${type}`, `X-Request-Id: ${answer.headers.get("X-Request-Id")}`];
    const body = type.startsWith("application/json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    shown.textContent = `${head.join("\n")}\n\n${body}`;
  } catch {
    shown.textContent = "Can't reach the server. Try again.";
  }
  shown.hidden = false;
  button.disabled = false;
});
