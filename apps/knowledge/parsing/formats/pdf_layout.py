"""Join the lines of a PDF into headings, paragraphs, list items and rows of tables.

A PDF says where letters are, not what they belong to. The rules here are the cheap ones that hold
for most documents; what they miss is still text, only less well divided.
"""

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from statistics import median

from apps.knowledge.parsing.formats.pdf_lines import PdfLine
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import Block, BlockKind

_LIST_ITEM = re.compile(r"(?:[-–•‣▪●○·*]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+(?=\S)")
_NUMBERS = re.compile(r"\d+")
_ROMAN_NUMBER = re.compile("[ivxlc]{1,7}")
_NUMBER_AT_AN_END = re.compile(r"^\d{1,4}\b|(?:\b\d{1,4} ?(?:/|of|von|de|sur|di) ?)?\b\d{1,4}$")
_WORDS = re.compile(r"[\w-]+")
_LETTER = re.compile(r"[^\W\d_]")
_UNSPACED = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u0e00-\u0eff]")
_LEADER = re.compile(r"(?:\s?[.·_…]){5,}\s*")
"""Dots between an entry and its page."""
_SENTENCE_END = re.compile("[.!?:;。！？؟۔।…][\"'”’»)\\]」』]*$")

_HEADING_SIZE = 1.15
"""Headings are larger than the body by at least this factor."""
_MAX_HEADING_CHARACTERS = 200
_LINE_DISTANCE = 1.35
"""Paragraphs are this much further apart than the lines in them."""
_SAME_COLUMN = 20.0
_RUNNING_PAGES = 4
"""From this many pages on, a line that most of them repeat is a header or footer."""
_EDGE_LINES = 2
_MAX_LETTERS_BESIDE_NUMBER = 10


@dataclass(slots=True)
class _Group:
    """Lines that make one block."""

    kind: BlockKind
    lines: list[PdfLine] = field(default_factory=list)
    level: int = 0


def layout_blocks(lines: list[PdfLine]) -> list[Block]:
    """The blocks of a document's lines."""
    levels = _heading_levels(lines)
    lines = _without_running_lines(lines, levels)
    words = Counter(word for line in lines for word in _WORDS.findall(line.text.lower()))
    groups: list[_Group] = []
    rows = _table_rows(lines)
    rights = _right_edges(lines)
    distances = _line_distances(lines)
    for at, line in enumerate(lines):
        kind, level = _kind(line, levels, is_row=at in rows)
        if groups and _continues(groups[-1], line, kind, rights, distances):
            groups[-1].lines.append(line)
        else:
            groups.append(_Group(kind, [line], level))
    return [block for group in groups if (block := _block(group, words))]


def _kind(line: PdfLine, levels: dict[float, int], *, is_row: bool) -> tuple[BlockKind, int]:
    if _LEADER.search(line.text):
        return BlockKind.LIST_ITEM, 0  # of a table of contents, also in large letters
    is_short = len(line.text) <= _MAX_HEADING_CHARACTERS
    if line.size in levels and is_short and _LETTER.search(line.text):
        return BlockKind.HEADING, levels[line.size]
    if is_row:
        return BlockKind.TABLE_ROW, 0
    if _LIST_ITEM.match(line.text):
        return BlockKind.LIST_ITEM, 0
    return BlockKind.PARAGRAPH, 0


def _continues(
    group: _Group,
    line: PdfLine,
    kind: BlockKind,
    rights: dict[int, list[tuple[float, float]]],
    distances: dict[int, float],
) -> bool:
    """Whether the line belongs to the block before it."""
    last = group.lines[-1]
    if BlockKind.TABLE_ROW in (kind, group.kind) or kind == BlockKind.LIST_ITEM:
        return False
    if (kind == BlockKind.HEADING) != (group.kind == BlockKind.HEADING):
        return False
    if abs(last.size - line.size) > last.size * 0.1:
        return False
    if last.ends_in_hyphen:
        return True
    if last.page != line.page:
        is_open = not _SENTENCE_END.search(last.text) and kind == BlockKind.PARAGRAPH
        return is_open and line.page == last.page + 1 and line.text[0].islower()
    distance = last.y - line.y
    if not 0 < distance <= distances[line.page] * _LINE_DISTANCE:
        # A new column begins higher up.
        return distance < 0 and not _SENTENCE_END.search(last.text) and line.text[0].islower()
    return kind == BlockKind.HEADING or not _ended_early(last, line, rights[line.page])


def _ended_early(last: PdfLine, line: PdfLine, rights: list[tuple[float, float]]) -> bool:
    """Whether the next line's first word had fitted at the end of this one."""
    edge = max(right for left, right in rights if abs(left - last.left) <= _SAME_COLUMN)
    width = (line.right - line.left) / max(1, len(line.text))
    word = 1 if _UNSPACED.match(line.text) else len(line.text.split(" ", 1)[0]) + 1
    return last.right + word * width < edge - width


def _block(group: _Group, words: Counter[str]) -> Block | None:
    first = group.lines[0]
    if group.kind == BlockKind.TABLE_ROW:
        text = " | ".join(first.cells)
    else:
        text = clean_line(_LEADER.sub(" … ", _joined(group.lines, words)))
    return Block(group.kind, text, group.level, first.page) if text else None


def _joined(lines: list[PdfLine], words: Counter[str]) -> str:
    text = ""
    for at, line in enumerate(lines):
        text += line.text
        following = lines[at + 1].text if at + 1 < len(lines) else ""
        if line.ends_in_hyphen:
            text += _hyphen(line.text, following, words)
        elif following and not (_UNSPACED.match(text[-1]) and _UNSPACED.match(following)):
            text += " "
    return text


def _hyphen(before: str, after: str, words: Counter[str]) -> str:
    """The hyphen if it belongs to the word, else "".

    The document itself knows: it may have the word elsewhere, with or without.
    """
    left, right = _WORDS.findall(before.lower())[-1:], _WORDS.findall(after.lower())[:1]
    if not left or not right or not after[0].islower():
        return "-"
    whole, hyphenated = left[0] + right[0], f"{left[0]}-{right[0]}"
    return "-" if words[hyphenated] > words[whole] else ""


def _heading_levels(lines: list[PdfLine]) -> dict[float, int]:
    """The level of each font size that is larger than the body's."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    if not sizes:
        return {}
    body = sizes.most_common(1)[0][0]
    larger = sorted((size for size in sizes if size >= body * _HEADING_SIZE), reverse=True)
    return {size: min(level, 6) for level, size in enumerate(larger, 1)}


def _table_rows(lines: list[PdfLine]) -> set[int]:
    """Which lines are rows: they have cells, and so has a line above or below on the page."""
    wide = [len(line.cells) > 1 for line in lines]
    return {
        at
        for at, line in enumerate(lines)
        if wide[at]
        and any(
            0 <= other < len(lines) and wide[other] and lines[other].page == line.page
            for other in (at - 1, at + 1)
        )
    }


def _right_edges(lines: list[PdfLine]) -> dict[int, list[tuple[float, float]]]:
    edges: dict[int, dict[float, float]] = {}
    for line in lines:
        page = edges.setdefault(line.page, {})
        left = round(line.left)
        page[left] = max(page.get(left, line.right), line.right)
    return {number: list(page.items()) for number, page in edges.items()}


def _line_distances(lines: list[PdfLine]) -> dict[int, float]:
    """The usual distance of lines, by page."""
    distances: dict[int, list[float]] = {}
    for last, line in itertools.pairwise(lines):
        found = distances.setdefault(line.page, [line.size * 1.3])
        is_near = last.page == line.page and last.size == line.size
        if is_near and 0 < last.y - line.y < 3 * line.size:
            found.append(last.y - line.y)
    if lines:
        distances.setdefault(lines[0].page, [lines[0].size * 1.3])
    return {page: median(found[1:] or found) for page, found in distances.items()}


def _without_running_lines(lines: list[PdfLine], levels: dict[float, int]) -> list[PdfLine]:
    """Leave out page numbers, and headers and footers but for the first of each."""
    pages: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        pages.setdefault(line.page, []).append(at)
    if len(pages) < _RUNNING_PAGES:
        return lines
    edges = [
        at
        for page in pages.values()
        for at in dict.fromkeys([*page[:_EDGE_LINES], *page[-_EDGE_LINES:]])
        if lines[at].size not in levels  # `Chapter 1` is no page number
    ]
    outermost = {at for page in pages.values() for at in (page[0], page[-1])}
    counts = Counter(_shape(lines[at]) for at in edges)
    seen: set[str] = set()
    dropped: set[int] = set()
    for at in edges:
        text, shape = lines[at].text, _shape(lines[at])
        is_number = _is_page_number(text)
        if at in outermost and (_ROMAN_NUMBER.fullmatch(text) or text.isdecimal()):
            dropped.add(at)
        # A header with the page's number need not be on all pages: chapters have their own.
        elif counts[shape] * 2 > len(pages) or (shape.endswith("#") and counts[shape] > 2):
            if shape in seen or is_number:
                dropped.add(at)
            seen.add(shape)
    return [line for at, line in enumerate(lines) if at not in dropped]


def _shape(line: PdfLine) -> str:
    """What headers or footers of different pages have in common."""
    text, count = _NUMBER_AT_AN_END.subn("", line.text)
    return f"{round(line.y)} {text}{'#' if count else ''}"


def _is_page_number(text: str) -> bool:
    """`7`, `xii`, `Page 7`, `7 / 12`, `Seite 7 von 12`."""
    if _ROMAN_NUMBER.fullmatch(text):
        return True
    return bool(_NUMBERS.search(text)) and len(_LETTER.findall(text)) <= _MAX_LETTERS_BESIDE_NUMBER
