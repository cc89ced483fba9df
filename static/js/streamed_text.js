// Shows plain text while it arrives. It is divided at lines, because a browser lays out the whole
// paragraph to which a character is added.

const MAX_PARAGRAPH_LENGTH = 2000;

export class StreamedText {
  constructor(element, text = "") {
    this.element = element;
    element.replaceChildren();
    this.paragraph = null;
    this.add(text);
  }
  add(text) {
    for (const line of text.split(/(?<=\n)/)) {
      if (!this.paragraph || (this.paragraph.length >= MAX_PARAGRAPH_LENGTH && this.paragraph.data.endsWith("\n"))) {
        this.paragraph = document.createTextNode("");
        const block = document.createElement("div");
        block.append(this.paragraph);
        this.element.append(block);
      }
      this.paragraph.appendData(line);
    }
  }
}
