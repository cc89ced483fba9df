// Shows Markdown while it arrives. What a piece costs does not grow with the text before it.

import { markdownFragment } from "./markdown.js";

const MAX_LIVE_LENGTH = 1500; // an unfinished block up to this length is rendered with every frame
const MAX_BLOCK_LENGTH = 6000; // a longer one is divided
const GROWTH = 1.5; // between the two it is rendered when it has grown so much, or in a pause
const MIN_LINE_LENGTH = 12; // an unfinished line of this length is no list item that begins

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const BEGINS_BLOCK = /^(?![-*+]\s|\d{1,9}[.)]\s)\S/;

// Where the last block of the text begins, 0 if it has one block only; and the fence of the code
// block in which the text ends, if it does.
const lastBlock = (text) => {
  let start = 0;
  let fence = "";
  let afterBlankLine = false;
  for (let at = 0; at < text.length; ) {
    const next = text.indexOf("\n", at);
    const line = text.slice(at, next < 0 ? text.length : next);
    const isComplete = next >= 0 || line.length >= MIN_LINE_LENGTH;
    if (!fence && afterBlankLine && isComplete && BEGINS_BLOCK.test(line)) start = at;
    const [, mark, info] = FENCE.exec(line) ?? [];
    if (mark && !fence) fence = line;
    else if (mark && !info.trim() && mark.startsWith(FENCE.exec(fence)[1])) fence = "";
    afterBlankLine = !line.trim();
    at = next < 0 ? text.length : next + 1;
  }
  return { start, fence };
};

const MAX_REPEATED_LENGTH = 500;
const TABLE_HEAD = /^[^\n]*\|[^\n]*\n[ |:]*-[-|: ]*\n/;
const LAST_LINE = /[^]*\n(?=\S)/; // not in the middle of a list item

// How a block that is too long is divided: its first part, at a line, else at a word; and what the
// second begins with, to be a code block or a table like the first.
const divide = (text, fence) => {
  const repeated = fence ? `${fence}\n` : (TABLE_HEAD.exec(text)?.[0] ?? "");
  const begin = repeated.length <= MAX_REPEATED_LENGTH ? repeated : "";
  const ends = [fence ? text.lastIndexOf("\n") + 1 : (LAST_LINE.exec(text)?.[0].length ?? 0), text.lastIndexOf(" ") + 1];
  return { begin, first: ends.find((end) => end > begin.length) ?? text.length };
};

// Finished blocks are rendered once, the last one again and again. `render` makes a fragment of text.
export class StreamedMarkdown {
  constructor(element, render = markdownFragment) {
    this.element = element;
    this.render = render;
    this.clear();
  }
  clear() {
    this.element.replaceChildren();
    this.tail = ""; // the text of the last block
    this.tailNodes = [];
    this.renderedLength = 0; // of the tail, when it was last rendered
    this.plain = null; // the text node of what came since
    this.shownLength = 0;
  }
  add(text) {
    this.tail += text;
  }
  // Shows what was added, up to MAX_BLOCK_LENGTH characters of it. Returns whether there is more.
  draw() {
    const part = this.tail.slice(0, MAX_BLOCK_LENGTH);
    const { start, fence } = lastBlock(part);
    const isTooLong = this.tail.length > MAX_BLOCK_LENGTH;
    if (start) this.finish(start);
    else if (isTooLong) {
      const { first, begin } = divide(part, fence);
      this.finish(first, begin);
    }
    if (isTooLong) return true;
    const isDue = this.tail.length <= MAX_LIVE_LENGTH || this.tail.length >= this.renderedLength * GROWTH;
    if (!isDue) this.appendPlain();
    else if (this.tail.length !== this.renderedLength) this.renderTail();
    return false;
  }
  // Renders the last block, if its end is shown as plain text.
  drawLastBlock() {
    if (this.plain) this.renderTail();
  }
  // Shows all that is left and renders the last block.
  async end() {
    while (this.draw()) await new Promise((resolve) => setTimeout(resolve));
    this.drawLastBlock();
  }
  // Renders the beginning of the tail for good. The rest begins with `begin`.
  finish(length, begin = "") {
    const text = this.tail.slice(0, length);
    this.tail = begin + this.tail.slice(length);
    this.replaceTail(this.render(text));
    this.tailNodes = [];
    this.renderedLength = 0;
  }
  renderTail() {
    this.replaceTail(this.render(this.tail));
    this.renderedLength = this.tail.length;
  }
  replaceTail(fragment) {
    for (const node of this.tailNodes) node.remove();
    this.tailNodes = [...fragment.childNodes];
    this.plain = null;
    this.element.append(fragment);
  }
  appendPlain() {
    if (!this.plain) {
      this.plain = document.createTextNode("");
      const span = document.createElement("span");
      span.style.whiteSpace = "pre-wrap";
      span.append(this.plain);
      this.element.append(span);
      this.tailNodes.push(span);
      this.shownLength = this.renderedLength;
    }
    this.plain.appendData(this.tail.slice(this.shownLength));
    this.shownLength = this.tail.length;
  }
}
