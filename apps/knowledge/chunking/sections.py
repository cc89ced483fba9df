"""Divide a document at its headings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from apps.knowledge.chunking.sentences import split_long
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument
from apps.llm.tokens import ENGLISH_LETTERS_PER_TOKEN, estimate_tokens

MAX_HEADING_TOKENS = 40
"""A longer heading is a paragraph that looks like one: it is shortened in the path, and stands
whole in the text."""

_SMALL_SHARE = 8
_JOINED_SHARE = 2


@dataclass(slots=True)
class Section:
    """The blocks between two headings, and the path of the headings above them."""

    path: tuple[str, ...]
    blocks: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class _Heading:
    level: int
    block: Block
    name: str
    has_content: bool = False


def split_sections(document: ParsedDocument, max_tokens: int) -> list[Section]:
    """The sections of a document in order; small ones under one parent are joined."""
    outline = _Outline(document.title)
    for block in document.blocks:
        if block.kind == BlockKind.HEADING:
            outline.open(block)
        else:
            outline.add(block)
    outline.close(0)
    sections = _merged(section for section in outline.sections if section.blocks)
    return list(_join_small(sections, max_tokens))


class _Outline:
    """The headings above the present block, and the sections so far."""

    def __init__(self, title: str) -> None:
        self.sections: list[Section] = []
        self._title = _short(title)
        self._headings: list[_Heading] = []

    def open(self, block: Block) -> None:
        """Begin the section of a heading."""
        self.close(block.level)
        for above in self._headings:
            above.has_content = True
        heading = _Heading(block.level, block, _short(block.text))
        self._headings.append(heading)
        if heading.name != block.text:
            self.add(Block(BlockKind.PARAGRAPH, block.text, page=block.page))

    def close(self, level: int) -> None:
        """Leave the headings of this and deeper levels; one with nothing below it is text."""
        while self._headings and self._headings[-1].level >= level:
            heading = self._headings.pop()
            if not heading.has_content:
                self.add(Block(BlockKind.PARAGRAPH, heading.block.text, page=heading.block.page))

    def add(self, block: Block) -> None:
        """Add a block to the section of the headings above it."""
        path = self._path()
        if not self.sections or self.sections[-1].path != path:
            self.sections.append(Section(path))
        self.sections[-1].blocks.append(block)
        for heading in self._headings:
            heading.has_content = True

    def _path(self) -> tuple[str, ...]:
        names = [heading.name for heading in self._headings]
        if self._title and names[:1] != [self._title]:
            names.insert(0, self._title)
        return tuple(names)


def _merged(sections: Iterable[Section]) -> list[Section]:
    """Sections with neighbours of the same path as one."""
    merged: list[Section] = []
    for section in sections:
        if merged and merged[-1].path == section.path:
            merged[-1].blocks += section.blocks
        else:
            merged.append(section)
    return merged


def _join_small(sections: list[Section], max_tokens: int) -> Iterator[Section]:
    """Join neighbours of a few words each. Larger ones stay apart: a chunk about one thing is
    found better than one about three."""
    small, most = max_tokens // _SMALL_SHARE, max_tokens // _JOINED_SHARE
    group: list[Section] = []
    size = 0
    for section in sections:
        tokens = _tokens(section)
        fits = tokens <= small and size + tokens <= most
        if group and not (fits and _are_siblings(group[-1], section)):
            yield _joined(group)
            group, size = [], 0
        if tokens <= small:
            group.append(section)
            size += tokens
        else:
            yield section
    if group:
        yield _joined(group)


def _are_siblings(one: Section, other: Section) -> bool:
    return len(one.path) == len(other.path) > 1 and one.path[:-1] == other.path[:-1]


def _joined(group: list[Section]) -> Section:
    if len(group) == 1:
        return group[0]
    joined = Section(group[0].path[:-1])
    for section in group:
        page = section.blocks[0].page
        joined.blocks.append(Block(BlockKind.PARAGRAPH, section.path[-1], page=page))
        joined.blocks += section.blocks
    return joined


def _tokens(section: Section) -> int:
    texts = [block.text for block in section.blocks]
    return sum(map(estimate_tokens, [*texts, *section.path[-1:]]))


def _short(name: str) -> str:
    if estimate_tokens(name) <= MAX_HEADING_TOKENS:
        return name
    most = MAX_HEADING_TOKENS * ENGLISH_LETTERS_PER_TOKEN - len("…".encode())
    return next(split_long(name, most)).rstrip() + "…"
