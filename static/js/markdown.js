// Renders untrusted Markdown. HTML in it is escaped, and the parser's output is sanitized by
// DOMPurify with an allowlist.

const escapeHtml = (text) => text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);

const parser = new marked.Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    image: ({ text, href }) => escapeHtml(text || href),
    heading({ tokens }) {
      // Headings would disturb the outline of the page.
      return `<p><strong>${this.parser.parseInline(tokens)}</strong></p>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});
const purifier = DOMPurify(window);
const POLICY = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

// The rendered text.
export const markdownFragment = (text) => {
  const fragment = purifier.sanitize(parser.parse(text), POLICY);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const block of fragment.querySelectorAll("pre")) block.tabIndex = 0; // scrollable by keyboard
  return fragment;
};

// Replaces the element's content by the rendered text.
export const render = (element, text) => element.replaceChildren(markdownFragment(text));
