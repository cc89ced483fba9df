// Small manners of every page. Each works on attributes in the HTML; none is needed to read a page.

const on = (type, selector, act) =>
  document.addEventListener(type, (event) => {
    const target = event.target instanceof Element && event.target.closest(selector);
    if (target) act(target, event);
  });

// Copy: <button data-copy="#id"> copies the text or value of that element.
on("click", "[data-copy]", async (button) => {
  const source = document.querySelector(button.dataset.copy);
  await navigator.clipboard.writeText(source.value ?? source.textContent);
  const label = button.querySelector("[data-label]") ?? button;
  const before = label.textContent;
  label.textContent = "Copied";
  setTimeout(() => (label.textContent = before), 1500);
});

// Dialogs: <button data-opens="#id">, <button data-closes>. One dialog serves many rows: the button
// says where its form goes (data-action) and what it is about (data-named, shown in [data-name]).
on("click", "[data-opens]", (button) => {
  const { opens, action, named } = button.dataset;
  const dialog = document.querySelector(opens);
  if (action) dialog.querySelector("form").action = action;
  for (const place of dialog.querySelectorAll("[data-name]")) place.textContent = named ?? "";
  dialog.showModal();
});
on("click", "[data-closes]", (button) => button.closest("dialog").close());

// A destructive form names the thing: its button stays off until the name has been typed.
on("input", "[data-must-equal]", (input) => {
  const same = input.value.trim() === input.dataset.mustEqual;
  input.form.querySelector("[type=submit]").disabled = !same;
});

// Toasts go by themselves unless they tell of an error; htmx may bring more of them.
on("click", ".toast [data-dismiss]", (button) => button.closest(".toast").remove());
const fade = (toast) => {
  if (!toast.matches(".toast-error")) setTimeout(() => toast.remove(), 8000);
};
const toasts = document.querySelector(".toasts");
if (toasts) {
  for (const toast of toasts.querySelectorAll(".toast")) fade(toast);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element) fade(node);
  }).observe(toasts, { childList: true });
}

// What htmx could not do: the form goes back to what the server knows, and the person is told.
const failed = ({ target }) => {
  target.closest?.("form")?.reset();
  const toast = document.createElement("div");
  toast.className = "toast toast-error";
  toast.textContent = "Change not saved. Reload the page and try again.";
  if (target.closest?.("form")) toasts?.append(toast);
};
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:sendError", failed);

// Menus made of <details> close when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.dropdown[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details.dropdown[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// Sidebar: on small screens a button slides it over the page.
const sidebar = document.querySelector(".sidebar");
const sidebarButton = document.querySelector("[data-sidebar]");
const toggleSidebar = (open) => {
  sidebar.classList.toggle("open", open);
  sidebarButton.setAttribute("aria-expanded", String(open));
  if (open) sidebar.querySelector("a, summary").focus();
};
if (sidebar && sidebarButton) {
  sidebarButton.addEventListener("click", () => toggleSidebar(!sidebar.classList.contains("open")));
  document.addEventListener("click", (event) => {
    if (!sidebar.contains(event.target) && !sidebarButton.contains(event.target)) toggleSidebar(false);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && sidebar.classList.contains("open")) {
      toggleSidebar(false);
      sidebarButton.focus();
    }
  });
}

// Light, dark, or as the system says. The server reads the cookie, so no page flashes.
on("click", "[data-theme-switch]", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// Save bar: <form data-savebar> shows its bar when something differs, and says what.
for (const form of document.querySelectorAll("form[data-savebar]")) {
  const bar = form.querySelector(".savebar");
  const says = bar.querySelector("[data-changes]");
  const failed = form.querySelector("[aria-invalid=true]") !== null;
  const fields = () =>
    [...form.elements].filter((field) => field.name && field.type !== "hidden" && field.type !== "submit");
  const value = (field) => (field.type === "checkbox" || field.type === "radio" ? field.checked : field.value);
  const before = new Map(fields().map((field) => [field, value(field)]));
  const look = () => {
    const changed = fields().filter((field) => value(field) !== before.get(field));
    const names = [...new Set(changed.map((field) => field.dataset.says ?? field.labels?.[0]?.textContent.trim()))];
    bar.hidden = !failed && changed.length === 0;
    says.textContent = names.filter(Boolean).join(", ");
  };
  form.addEventListener("input", look);
  form.addEventListener("reset", () => setTimeout(look));
  look();
}

// Where tabs are wider than the screen, the one that is open is in sight.
document.querySelector("nav.tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// Tables: up and down between rows, enter follows the row's link as any link.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const row = document.activeElement?.closest?.(".table tbody tr");
  if (!row || document.activeElement.matches("input, select, textarea")) return;
  const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
  const link = next?.querySelector("a");
  if (link) {
    event.preventDefault();
    link.focus();
  }
});
