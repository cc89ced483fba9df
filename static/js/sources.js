// The sources of a streamed answer. What is linked and opened comes from the server's rows, never
// from the text of the model.

const MARK = /\[\d{1,2}(?:\s*[,;]\s*\d{1,2})*\]/g;
const PLAIN_NUMBER = /^\[?(\d{1,2})\]?$/;

const NOTES = {
  nothing_found: "Nothing was found in the knowledge bases.",
  unavailable: "The knowledge bases could not be searched, so this answer has no sources.",
};

export class AnswerSources {
  // `section` has a list, and beside it a place for a note; `turnUrl(turnId)` is the page of a turn.
  constructor(section, template, turnUrl) {
    this.section = section;
    this.template = template;
    this.turnUrl = turnUrl;
    this.numbers = new Set();
    this.turnId = "";
  }
  show({ knowledge, sources = [] }, turnId) {
    this.turnId = turnId;
    this.numbers = new Set(sources.map(({ number }) => number));
    this.section.hidden = sources.length === 0;
    this.section.querySelector("ol").replaceChildren(...sources.map((source) => this.element(source)));
    const note = this.section.nextElementSibling;
    note.textContent = NOTES[knowledge] ?? "";
    note.hidden = !note.textContent;
  }
  // Marks those that the answer cites.
  mark(sources = []) {
    for (const { number, cited } of sources) {
      const source = this.find(number);
      source?.classList.toggle("source-cited", cited);
      if (source) source.querySelector("[data-cited]").hidden = !cited;
    }
  }
  id(number) {
    return `source-${this.turnId}-${number}`;
  }
  find(number) {
    return this.section.querySelector(`#${CSS.escape(this.id(number))}`)?.closest(".source");
  }
  element({ number, title, page, quote }) {
    const item = this.template.content.firstElementChild.cloneNode(true);
    const set = (selector, text) => (item.querySelector(selector).textContent = text);
    set(".cite", number);
    set("[data-title]", title || "Untitled");
    if (page) set("[data-page]", `page ${page}`);
    set(".source-preview", quote);
    set(".source-text", quote);
    item.querySelector(".source-text").id = this.id(number);
    item.querySelector("details").addEventListener("toggle", () => this.complete(number));
    return item;
  }
  // Shows the whole passage and its links when a source is opened. The server has them soon after
  // the answer has begun.
  async complete(number) {
    if (this.find(number).dataset.whole) return;
    const response = await fetch(this.turnUrl(this.turnId)).catch(() => null);
    if (!response?.ok) return;
    const turn = document.createElement("template");
    turn.innerHTML = await response.text();
    const whole = turn.content.querySelector(`#${CSS.escape(this.id(number))}`)?.closest(".source");
    const source = this.find(number);
    if (!whole || !source) return;
    source.querySelector(".source-text").textContent = whole.querySelector(".source-text").textContent;
    source.querySelector(".source-links").replaceWith(whole.querySelector(".source-links"));
    source.dataset.whole = "yes";
  }
  // Links the numbers that cite a source, in a rendered text. A link of the model that looks like
  // one of them becomes one.
  link(fragment) {
    if (!this.numbers.size) return fragment;
    for (const link of fragment.querySelectorAll("a")) {
      const [, number] = PLAIN_NUMBER.exec(link.textContent.trim()) ?? [];
      if (number && this.numbers.has(Number(number))) link.replaceWith(`[${number}]`);
    }
    fragment.normalize();
    const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) if (!text.parentElement?.closest("a, code, pre")) this.linkText(text);
    return fragment;
  }
  linkText(node) {
    let end = 0;
    const parts = [];
    for (const { 0: mark, index } of node.data.matchAll(MARK)) {
      parts.push(node.data.slice(end, index), ...mark.split(/(\d+)/).map((part) => this.linkNumber(part)));
      end = index + mark.length;
    }
    if (parts.length) node.replaceWith(...parts, node.data.slice(end));
  }
  linkNumber(text) {
    if (!this.numbers.has(Number(text || NaN))) return text;
    const link = document.createElement("a");
    link.className = "cite";
    link.href = `#${this.id(Number(text))}`;
    link.setAttribute("aria-label", `Source ${Number(text)}`);
    link.textContent = text;
    return link;
  }
}
