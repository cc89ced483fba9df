"""Plain text and Markdown."""

import re
from collections.abc import Iterator

from apps.knowledge.parsing.detection import MediaType
from apps.knowledge.parsing.formats.markup import markup_blocks, parse_html
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.*?)[\"']?[ \t]*$", re.MULTILINE)
_LIST_ITEM = re.compile(r"(?:[-*•–‣·]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_SPACES = re.compile(r"[ \t]+")
_WRAPPED_CHARACTERS = 50
"""A line shorter than this was not ended for want of space."""


def parse_plain_text(text: str) -> ParsedDocument:
    """Paragraphs are separated by empty lines, or are single lines where there are none."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    blocks = tuple(
        block for paragraph in _PARAGRAPH_END.split(text) for block in _paragraph(paragraph)
    )
    return ParsedDocument("", blocks, MediaType.TEXT)


def parse_markdown(text: str) -> ParsedDocument:
    """Markdown with tables (as on GitHub); HTML in it is read as such."""
    from markdown_it import MarkdownIt  # costs 30 ms

    text = text.replace("\r\n", "\n").replace("\r", "\n")
    title = ""
    if front_matter := _FRONT_MATTER.match(text):
        found = _FRONT_TITLE.search(front_matter[1])
        title = clean_line(found[1]) if found else ""
        text = text[front_matter.end() :]
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    tree = parse_html(f"<body>{rendered}</body>")
    blocks = tuple(markup_blocks(tree)) if tree is not None else ()
    if not title:
        title = next((block.text for block in blocks if block.level == 1), "")
    return ParsedDocument(title, blocks, MediaType.MARKDOWN)


def _paragraph(text: str) -> Iterator[Block]:
    """Join wrapped lines; list items, and lines that ended early, stand alone."""
    kind, lines = BlockKind.PARAGRAPH, list[str]()
    for line in text.split("\n"):
        stripped = _SPACES.sub(" ", line).strip()
        marker = _LIST_ITEM.match(stripped)
        ended_early = bool(lines) and len(lines[-1]) < _WRAPPED_CHARACTERS
        if lines and (marker or ended_early):
            yield from _joined(kind, lines)
            lines = []
        if not lines:
            kind = BlockKind.LIST_ITEM if marker else BlockKind.PARAGRAPH
        lines.append(stripped)
    yield from _joined(kind, lines)


def _joined(kind: BlockKind, lines: list[str]) -> Iterator[Block]:
    text = clean_line(" ".join(lines))
    if text:
        yield Block(kind, text)
