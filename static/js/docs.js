// The docs pages: language tabs, copy buttons and Try it.

const examples = [...document.querySelectorAll("[data-example]")];
const tabsIn = (example) => [...example.querySelectorAll("[role=tab]")];
const panelFor = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

// Selects a language in every example that has it.
const selectLanguage = (language) => {
  for (const example of examples) {
    const tabs = tabsIn(example);
    if (!tabs.some((tab) => tab.dataset.language === language)) continue;
    for (const tab of tabs) {
      const isSelected = tab.dataset.language === language;
      tab.setAttribute("aria-selected", String(isSelected));
      tab.tabIndex = isSelected ? 0 : -1;
      panelFor(tab).hidden = !isSelected;
    }
  }
};
const saveLanguage = (language) => {
  selectLanguage(language);
  document.cookie = `language=${language}; path=/; max-age=31536000; samesite=lax`;
};

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
for (const example of examples) {
  const tabs = tabsIn(example);
  for (const tab of tabs) {
    tab.addEventListener("click", () => saveLanguage(tab.dataset.language));
    tab.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step) return;
      const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
      saveLanguage(next.dataset.language);
      next.focus();
    });
  }
  const copyButton = example.querySelector("[data-copy-example]");
  copyButton.addEventListener("click", async () => {
    const panel = example.querySelector("[role=tabpanel]:not([hidden])");
    await navigator.clipboard.writeText(panel.textContent);
    copyButton.textContent = "Copied";
    setTimeout(() => (copyButton.textContent = "Copy"), 1500);
  });
}

// Scrolls a horizontal list of pages to the current one.
const currentPage = document.querySelector(".docs-pages [aria-current]");
const pageList = currentPage?.closest(".docs-pages");
if (pageList) pageList.scrollLeft = currentPage.getBoundingClientRect().left - pageList.getBoundingClientRect().left;

// Try it: shows the response with its headers, like curl --include.
const form = document.querySelector("[data-try]");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const output = document.querySelector("[data-try-answer]");
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ message: form.elements.message.value, stream: form.elements.stream.checked }),
    });
    const text = await response.text();
    const type = response.headers.get("Content-Type");
    const headers = [`HTTP ${response.status}`, `Content-Type: ${type}`, `X-Request-Id: ${response.headers.get("X-Request-Id")}`];
    const body = type.startsWith("application/json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    output.textContent = `${headers.join("\n")}\n\n${body}`;
  } catch {
    output.textContent = "Can't reach the server. Try again.";
  }
  output.hidden = false;
  button.disabled = false;
});
