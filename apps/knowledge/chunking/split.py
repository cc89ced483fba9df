"""Cut a document into chunks."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from apps.knowledge.chunking.sections import Section, split_sections
from apps.knowledge.chunking.sentences import split_long, split_sentences
from apps.knowledge.chunking.types import PATH_SEPARATOR, ChunkText
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument
from apps.llm.tokens import ENGLISH_LETTERS_PER_TOKEN, estimate_tokens

MAX_TOKENS = 300
OVERLAP_TOKENS = 40
MAX_PATH_TOKENS = 100
"""The most that headings add to an embedded text: models read 512 tokens of it."""

_PROSE = (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM)
_CLOSE = (BlockKind.LIST_ITEM, BlockKind.TABLE_ROW, BlockKind.CODE)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block, or a part of one that is too long. `separator` comes before it."""

    text: str
    kind: BlockKind
    page: int | None
    separator: str
    size: int


def split_into_chunks(
    document: ParsedDocument, *, max_tokens: int = MAX_TOKENS, overlap_tokens: int = OVERLAP_TOKENS
) -> list[ChunkText]:
    """The chunks of a document in order.

    A chunk's text has at most `max_tokens`, and begins with up to `overlap_tokens` of the
    sentences before it in the same section.
    """
    chunks: list[ChunkText] = []
    for section in split_sections(document, max_tokens):
        for text, page in _section_texts(section, max_tokens, overlap_tokens):
            if text:
                chunks.append(make_chunk(len(chunks), section.path, text, page))
    return chunks


def make_chunk(
    position: int, heading_path: tuple[str, ...], text: str, page: int | None
) -> ChunkText:
    """A chunk with its count and digest."""
    embedded = _embedded(heading_path, text)
    digest = hashlib.sha256(embedded.encode()).hexdigest()
    return ChunkText(position, heading_path, text, page, estimate_tokens(embedded), digest)


def embedded_text(chunk: ChunkText) -> str:
    """The text that is embedded and searched: the headings above the chunk, then its text."""
    return _embedded(chunk.heading_path, chunk.text)


def _embedded(path: tuple[str, ...], text: str) -> str:
    names = list(path)
    while len(names) > 1 and estimate_tokens(PATH_SEPARATOR.join(names)) > MAX_PATH_TOKENS:
        del names[1 if len(names) > 2 else 0]
    return f"{PATH_SEPARATOR.join(names)}\n\n{text}" if names else text


def _section_texts(
    section: Section, max_tokens: int, overlap_tokens: int
) -> Iterator[tuple[str, int | None]]:
    """The texts of a section's chunks, each with its page."""
    most = max_tokens * ENGLISH_LETTERS_PER_TOKEN
    pieces = [piece for block in section.blocks for piece in _pieces(block, most)]
    total = sum(len(piece.separator) + piece.size for piece in pieces)
    fair = total / -(-total // most)  # chunks of about the same size, rather than a tiny last one
    text, page, own = "", pieces[0].page, 0
    for at, piece in enumerate(pieces):
        longer = text + piece.separator + piece.text if text else piece.text
        if own and (own >= fair or _size(longer.rstrip()) > most):
            yield _trimmed(text), page
            overlap = _overlap(text, pieces[at - 1].kind, overlap_tokens)
            longer = overlap + piece.separator + piece.text if overlap else piece.text
            if _size(longer.rstrip()) > most:
                longer = piece.text
            page, own = piece.page, 0
        text, own = longer, own + len(piece.separator) + piece.size
    yield _trimmed(text), page


def _pieces(block: Block, most: int) -> Iterator[_Piece]:
    """The block whole if it fits; else its sentences, cells or lines; else parts of these."""
    separator = "\n" if block.kind in _CLOSE else "\n\n"
    parts = [block.text] if _size(block.text) <= most else _parts(block)
    for part in parts:
        fitting = [part] if _size(part.rstrip()) <= most else split_long(part, most)
        for text in fitting:
            yield _Piece(text, block.kind, block.page, separator, _size(text))
            separator = ""


def _parts(block: Block) -> list[str]:
    if block.kind == BlockKind.CODE:
        return block.text.splitlines(keepends=True)
    if block.kind == BlockKind.TABLE_ROW:
        mark = "; " if "; " in block.text else " | "
        cells = block.text.split(mark)
        return [cell + mark for cell in cells[:-1]] + cells[-1:]
    return split_sentences(block.text)


def _overlap(text: str, kind: BlockKind, overlap_tokens: int) -> str:
    """The last sentences of a chunk, up to a number of tokens and half of the chunk.

    Rows of tables and code have none: a row is clear alone, and half a function is not.
    """
    if kind not in _PROSE:
        return ""
    most = min(overlap_tokens * ENGLISH_LETTERS_PER_TOKEN, _size(text) // 2)
    overlap = ""
    paragraph = text.rpartition("\n")[2]
    for sentence in reversed(split_sentences(paragraph)):
        if _size((sentence + overlap).rstrip()) > most:
            break
        overlap = sentence + overlap
    return overlap


def _trimmed(text: str) -> str:
    """The text without empty lines at its ends; the indentation of code stays."""
    return text.rstrip().lstrip("\n")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
