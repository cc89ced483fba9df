"""From Markdown to the parts of a page: HTML, and examples that are filled in for each reader.

Two conventions make one text good for both GitHub and our pages:

- a paragraph that is nothing but a link to `examples/NAME` is that example, with its tabs;
- a link to another file of `docs/` leads to the page on which that section stands, or is plain
  words where it stands on none.

The text is ours, so it is trusted; raw HTML in it is shown as text all the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from apps.dashboard.docs.pages import DocsPage, find_page_of, has_section

DOCS_DIR = Path(settings.BASE_DIR) / "docs"
LINK_PREFIX = "docs:"
"""What the addresses of our own pages begin with until it is known where the reader is."""

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
_EXAMPLE_PREFIX = "examples/"
_LANGUAGE_NAMES = {
    "sh": "Shell",
    "js": "JavaScript",
    "jsx": "JavaScript",
    "python": "Python",
    "json": "JSON",
}


@dataclass(frozen=True, slots=True)
class ArticlePart:
    """A stretch of a page: HTML, or the name of an example."""

    html: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what follows it up to the next."""

    title: str
    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Article:
    """A page, rendered. `contents`: the id and the words of each of its headings."""

    parts: tuple[ArticlePart, ...]
    contents: tuple[tuple[str, str], ...]


@functools.cache
def render_article(page: DocsPage) -> Article:
    """The page's text. Rendered once a process."""
    contents: list[tuple[str, str]] = []
    parts: list[ArticlePart] = []
    for section in _sections_on(page):
        tokens = section.tokens
        if _is_title(section, page):
            tokens = tokens[3:]
        else:
            contents.append((heading_id(section.title), section.title))
        parts += _parts(tokens, page.file)
    return Article(tuple(parts), tuple(contents))


def _sections_on(page: DocsPage) -> list[Section]:
    return [section for section in sections(page.file) if has_section(page, section.title)]


def _is_title(section: Section, page: DocsPage) -> bool:
    """Whether the page's own title says what the section's heading would say again."""
    return section.title == page.title or section is _sections_on(page)[0]


@functools.cache
def sections(file: str) -> tuple[Section, ...]:
    """The sections of a file of `docs/`, in its order."""
    tokens = _markdown.parse((DOCS_DIR / file).read_text())
    starts = [at for at, token in enumerate(tokens) if token.type == "heading_open"]
    ends = [*starts[1:], len(tokens)]
    return tuple(
        Section(tokens[start + 1].content, tokens[start:end])
        for start, end in zip(starts, ends, strict=True)
    )


def heading_id(title: str) -> str:
    """The id of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _parts(tokens: Sequence[Token], file: str) -> Iterator[ArticlePart]:
    pending: list[Token] = []
    at = 0
    while at < len(tokens):
        name = _example_in(tokens[at : at + 3])
        if name is None:
            pending.append(tokens[at])
            at += 1
            continue
        yield from _html(pending, file)
        pending = []
        yield ArticlePart(example=name)
        at += 3
    yield from _html(pending, file)


def _example_in(tokens: Sequence[Token]) -> str | None:
    """The example that a paragraph stands for, if it does."""
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    inner = tokens[1].children or []
    if [token.type for token in inner] != ["link_open", "text", "link_close"]:
        return None
    href = str(inner[0].attrGet("href"))
    return href.removeprefix(_EXAMPLE_PREFIX) if href.startswith(_EXAMPLE_PREFIX) else None


def _html(tokens: Sequence[Token], file: str) -> Iterator[ArticlePart]:
    if tokens:
        html = _Renderer(file).render(
            list(_without_empty_heads(tokens)), _markdown.options, {"blocks": 0}
        )
        yield ArticlePart(html=mark_safe(html))  # noqa: S308 — our own text, raw HTML escaped


def _without_empty_heads(tokens: Sequence[Token]) -> Iterator[Token]:
    """Markdown wants a head for every table. One that says nothing is left out; a cell of one
    that says nothing heads nothing."""
    at = 0
    while at < len(tokens):
        if tokens[at].type != "thead_open":
            yield tokens[at]
            at += 1
            continue
        end = next(n for n in range(at, len(tokens)) if tokens[n].type == "thead_close")
        head = tokens[at : end + 1]
        if any(token.content for token in head if token.type == "inline"):
            for place, token in enumerate(head):
                if token.type == "th_open" and not head[place + 1].content:
                    token.tag = head[place + 2].tag = "td"
                yield token
        at = end + 1


class _Renderer(RendererHTML):
    """Markdown in the clothes of our own components."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def heading_open(self, tokens: Sequence[Token], at: int, *_: object) -> str:
        level = min(max(int(tokens[at].tag[1]), 2), 3)
        return format_html('<h{} id="{}">', level, heading_id(tokens[at + 1].content))

    def heading_close(self, tokens: Sequence[Token], at: int, *_: object) -> str:
        return f"</h{min(max(int(tokens[at].tag[1]), 2), 3)}>\n"

    def table_open(self, *_: object) -> str:
        return '<div class="table-frame" tabindex="0"><table class="table">\n'

    def table_close(self, *_: object) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], at: int, *_: object) -> str:
        token = tokens[at]
        title = _LANGUAGE_NAMES.get(token.info, "")
        label = title or "Text"
        id = f"code-{heading_id(self.file)}-{token.map[0] if token.map else at}"
        return format_html(
            '<div class="code"><header><span class="soft">{}</span>'
            '<button class="button button-quiet button-small" type="button" data-copy="#{}">Copy'
            '</button></header><pre tabindex="0" aria-label="{}"><code id="{}">{}</code></pre>'
            "</div>\n",
            *(title, id, label, id, token.content),
        )

    def link_open(self, tokens: Sequence[Token], at: int, *_: object) -> str:
        href = self._address(str(tokens[at].attrGet("href")))
        return format_html('<a href="{}">', href) if href else "<span>"

    def link_close(self, tokens: Sequence[Token], at: int, *_: object) -> str:
        opened = next(token for token in reversed(tokens[:at]) if token.type == "link_open")
        return "</a>" if self._address(str(opened.attrGet("href"))) else "</span>"

    def text(self, tokens: Sequence[Token], at: int, *rest: object) -> str:
        """Words; a link that is named like its file is named like its page."""
        content = tokens[at].content
        if at and tokens[at - 1].type == "link_open" and content.endswith(".md"):
            page = find_page_of(content)
            content = page.title if page else content
        return format_html("{}", content)

    def _address(self, href: str) -> str | None:
        """Where a link leads; None where there is no page of ours."""
        if "://" in href or href.startswith("/"):
            return href
        path, _, anchor = href.partition("#")
        file = path or self.file
        if not (DOCS_DIR / file).is_file() or not file.endswith(".md"):
            return None
        named = next((part for part in sections(file) if heading_id(part.title) == anchor), None)
        page = find_page_of(file, named.title if named else None)
        if page is None:
            return None
        if named is None or _is_title(named, page):
            return f"{LINK_PREFIX}{page.slug}"
        return f"{LINK_PREFIX}{page.slug}#{anchor}"
