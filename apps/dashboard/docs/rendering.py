"""Render Markdown files as docs pages: HTML, and the names of examples in between.

The files are read on GitHub as well. Two kinds of links are rendered differently here:

- a paragraph that consists of a link to `docs/examples/NAME` becomes that example;
- a link to a file of `docs/` leads to the page that shows it, or is plain text if none does.

Raw HTML is escaped.
"""

import functools
import posixpath
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
"""The prefix of links to docs pages; views replace it by the public or the workspace's URL."""

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
    """HTML, or the name of an example."""

    html: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with the text up to the next one."""

    title: str
    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Article:
    """A rendered page. `contents` has the id and the text of each heading."""

    parts: tuple[ArticlePart, ...]
    contents: tuple[tuple[str, str], ...]


@functools.cache
def render_article(page: DocsPage) -> Article:
    """Render a page, once per process."""
    contents: list[tuple[str, str]] = []
    parts: list[ArticlePart] = []
    for section in _sections_on(page):
        tokens = section.tokens
        if _is_title(section, page):
            tokens = tokens[3:]
        else:
            contents.append((heading_id(section.title), section.title))
        parts += _render_parts(tokens, page.file)
    return Article(tuple(parts), tuple(contents))


def _sections_on(page: DocsPage) -> list[Section]:
    return [section for section in sections(page.file) if has_section(page, section.title)]


def _is_title(section: Section, page: DocsPage) -> bool:
    """Whether the page's title stands for the section's heading."""
    return section.title == page.title or section is _sections_on(page)[0]


@functools.cache
def sections(file: str) -> tuple[Section, ...]:
    """The sections of a file of `docs/`, in order."""
    tokens = _markdown.parse((DOCS_DIR / file).read_text())
    starts = [i for i, token in enumerate(tokens) if token.type == "heading_open"]
    ends = [*starts[1:], len(tokens)]
    return tuple(
        Section(tokens[start + 1].content, tokens[start:end])
        for start, end in zip(starts, ends, strict=True)
    )


def heading_id(title: str) -> str:
    """The id of a heading, like GitHub's."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _render_parts(tokens: Sequence[Token], file: str) -> Iterator[ArticlePart]:
    pending: list[Token] = []
    i = 0
    while i < len(tokens):
        name = _parse_example(tokens[i : i + 3], file)
        if name is None:
            pending.append(tokens[i])
            i += 1
            continue
        yield from _render_html(pending, file)
        pending = []
        yield ArticlePart(example=name)
        i += 3
    yield from _render_html(pending, file)


def _parse_example(tokens: Sequence[Token], file: str) -> str | None:
    """The name of the example, if the tokens are a paragraph with a link to one."""
    if [token.type for token in tokens] != ["paragraph_open", "inline", "paragraph_close"]:
        return None
    inner = tokens[1].children or []
    if [token.type for token in inner] != ["link_open", "text", "link_close"]:
        return None
    path = _resolve_path(str(inner[0].attrGet("href")), file)
    return path.removeprefix(_EXAMPLE_PREFIX) if path.startswith(_EXAMPLE_PREFIX) else None


def _resolve_path(path: str, file: str) -> str:
    """The path below `docs/` that a link in `file` leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


def _render_html(tokens: Sequence[Token], file: str) -> Iterator[ArticlePart]:
    if tokens:
        html = _Renderer(file).render(
            list(_without_empty_headers(tokens)), _markdown.options, {"blocks": 0}
        )
        yield ArticlePart(html=mark_safe(html))  # noqa: S308 — our own files, raw HTML escaped


def _without_empty_headers(tokens: Sequence[Token]) -> Iterator[Token]:
    """Leave out table headers without text, and turn their empty cells into `td`.

    Markdown requires a header for every table.
    """
    i = 0
    while i < len(tokens):
        if tokens[i].type != "thead_open":
            yield tokens[i]
            i += 1
            continue
        end = next(n for n in range(i, len(tokens)) if tokens[n].type == "thead_close")
        head = tokens[i : end + 1]
        if any(token.content for token in head if token.type == "inline"):
            for n, token in enumerate(head):
                if token.type == "th_open" and not head[n + 1].content:
                    token.tag = head[n + 2].tag = "td"
                yield token
        i = end + 1


class _Renderer(RendererHTML):
    """Renders with the markup of the design system's components."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def heading_open(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        level = min(max(int(tokens[idx].tag[1]), 2), 3)
        return format_html('<h{} id="{}">', level, heading_id(tokens[idx + 1].content))

    def heading_close(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        return f"</h{min(max(int(tokens[idx].tag[1]), 2), 3)}>\n"

    def table_open(self, *_: object) -> str:
        return '<div class="table-frame" tabindex="0"><table class="table">\n'

    def table_close(self, *_: object) -> str:
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        token = tokens[idx]
        title = _LANGUAGE_NAMES.get(token.info, "")
        label = title or "Text"
        id = f"code-{heading_id(self.file)}-{token.map[0] if token.map else idx}"
        return format_html(
            '<div class="code"><header><span class="soft">{}</span>'
            '<button class="button button-quiet button-small" type="button" data-copy="#{}">Copy'
            '</button></header><pre tabindex="0" aria-label="{}"><code id="{}">{}</code></pre>'
            "</div>\n",
            *(title, id, label, id, token.content),
        )

    def link_open(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        href = self._resolve_link(str(tokens[idx].attrGet("href")))
        return format_html('<a href="{}">', href) if href else "<span>"

    def link_close(self, tokens: Sequence[Token], idx: int, *_: object) -> str:
        opened = next(token for token in reversed(tokens[:idx]) if token.type == "link_open")
        return "</a>" if self._resolve_link(str(opened.attrGet("href"))) else "</span>"

    def _resolve_link(self, href: str) -> str | None:
        """The URL of a link, or None where no page shows its target."""
        if "://" in href or href.startswith("/"):
            return href
        path, _, anchor = href.partition("#")
        file = _resolve_path(path, self.file) if path else self.file
        if not (DOCS_DIR / file).is_file() or not file.endswith(".md"):
            return None
        named = next((part for part in sections(file) if heading_id(part.title) == anchor), None)
        page = find_page_of(file, named.title if named else None)
        if page is None:
            return None
        if named is None or _is_title(named, page):
            return f"{LINK_PREFIX}{page.slug}"
        return f"{LINK_PREFIX}{page.slug}#{anchor}"
