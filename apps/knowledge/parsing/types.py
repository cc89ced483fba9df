"""What parsing gives back: a document as blocks of text, or the reason why there is none."""

from dataclasses import dataclass
from enum import StrEnum


class BlockKind(StrEnum):
    """What a block is in its document."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE_ROW = "table_row"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document.

    `text` is never empty, valid Unicode (NFC) without NUL, and on one line; only code keeps its
    lines. `level` is 1 to 6 for headings and 0 for all else. `page` counts the pages of a PDF or
    the slides of a presentation from 1.
    """

    kind: BlockKind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document in reading order.

    `title` is "" if it has none. `links` are a web page's absolute http(s) links in order, without
    repeats; `canonical_url` is the address that the page gives as its own, or "".
    """

    title: str
    blocks: tuple[Block, ...]
    media_type: str
    pages: int | None = None
    canonical_url: str = ""
    links: tuple[str, ...] = ()


class ParsingFailed(Exception):
    """A document that cannot be read. `str(error)` is a sentence for its owner.

    `code` is one of: damaged, encrypted, no_text, out_of_memory, timed_out, too_large,
    too_many_pages, unavailable, unknown_type.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
