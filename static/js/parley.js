// Behavior of all pages, driven by data attributes. Every page can be read without it.

const on = (type, selector, handler) =>
  document.addEventListener(type, (event) => {
    const target = event.target instanceof Element && event.target.closest(selector);
    if (target) handler(target, event);
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

// Dialogs: <button data-opens="#id">, <button data-closes>. Rows can share a dialog: the button sets
// the form's action (data-action) and the name shown in [data-name] (data-named).
on("click", "[data-opens]", (button) => {
  const { opens, action, named } = button.dataset;
  const dialog = document.querySelector(opens);
  if (action) dialog.querySelector("form").action = action;
  for (const element of dialog.querySelectorAll("[data-name]")) element.textContent = named ?? "";
  dialog.showModal();
});
on("click", "[data-closes]", (button) => button.closest("dialog").close());

// Destructive forms: the submit button is disabled until the name is typed.
on("input", "[data-must-equal]", (input) => {
  const same = input.value.trim() === input.dataset.mustEqual;
  input.form.querySelector("[type=submit]").disabled = !same;
});

// Forms are sent once: a second click, before the next page is there, would create a second of what
// the form creates. After a while the form can be sent again: its response may be a file or be lost.
const beingSent = new Set();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (beingSent.has(form)) return event.preventDefault();
  beingSent.add(form);
  setTimeout(() => beingSent.delete(form), 10_000);
});
addEventListener("pageshow", () => beingSent.clear()); // the page is back from the browser's cache

// Toasts disappear after 8 seconds, except errors. htmx can add more.
on("click", ".toast [data-dismiss]", (button) => button.closest(".toast").remove());
const hideLater = (toast) => {
  if (!toast.matches(".toast-error")) setTimeout(() => toast.remove(), 8000);
};
const toasts = document.querySelector(".toasts");
if (toasts) {
  for (const toast of toasts.querySelectorAll(".toast")) hideLater(toast);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof Element) hideLater(node);
  }).observe(toasts, { childList: true });
}

// Failed htmx requests: reset the form and show an error.
const showRequestError = ({ target }) => {
  target.closest?.("form")?.reset();
  const toast = document.createElement("div");
  toast.className = "toast toast-error";
  toast.textContent = "Change not saved. Reload the page and try again.";
  if (target.closest?.("form")) toasts?.append(toast);
};
document.addEventListener("htmx:responseError", showRequestError);
document.addEventListener("htmx:sendError", showRequestError);

// <details> menus close on a click outside and on Escape.
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

// Theme switch. The server reads the cookie, so pages do not flash.
on("click", "[data-theme-switch]", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
});

// Save bar: <form data-savebar> shows its bar with the names of the changed fields.
for (const form of document.querySelectorAll("form[data-savebar]")) {
  const bar = form.querySelector(".savebar");
  const changeList = bar.querySelector("[data-changes]");
  const hasErrors = form.querySelector("[aria-invalid=true]") !== null;
  const fields = () =>
    [...form.elements].filter((field) => field.name && field.type !== "hidden" && field.type !== "submit");
  const value = (field) => (field.type === "checkbox" || field.type === "radio" ? field.checked : field.value);
  const savedValues = new Map(fields().map((field) => [field, value(field)]));
  const update = () => {
    const changed = fields().filter((field) => value(field) !== savedValues.get(field));
    const names = [...new Set(changed.map((field) => field.dataset.says ?? field.labels?.[0]?.textContent.trim()))];
    bar.hidden = !hasErrors && changed.length === 0;
    changeList.textContent = names.filter(Boolean).join(", ");
  };
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  update();
}

// Scrolls the current tab into view.
document.querySelector("nav.tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

// Tables: the up and down keys move between the links of the rows.
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
