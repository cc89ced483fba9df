"""Read the lines of a PDF page: their text, size and place."""

import math
from collections.abc import Iterator
from ctypes import byref, c_double
from dataclasses import dataclass

import pypdfium2
from pypdfium2 import raw

from apps.knowledge.parsing.text_cleaning import clean_line, without_surrogates

_HYPHEN = 2
"""What PDFium gives for a hyphen at the end of a line; the next line follows at once."""
_LINE_ENDS = frozenset((10, 13, _HYPHEN))
_SPACES = frozenset((9, 32, 0xA0, 0x3000))
_UNREADABLE = frozenset((0, 0xFFFD, 0xFFFE, 0xFFFF))
_PRIVATE_USE = range(0xE000, 0xF900)
_CELL_GAP = 1.2
"""A gap of that many times the font size separates cells of a table."""


@dataclass(frozen=True, slots=True)
class PdfLine:
    """A line on a page. Lengths are in points, `y` is the base line's distance from the bottom."""

    page: int
    text: str
    cells: tuple[str, ...]
    ends_in_hyphen: bool
    size: float
    left: float
    right: float
    y: float
    unreadable: int
    """How many characters have no meaning."""


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    right: float
    bottom: float


def page_lines(page: pypdfium2.PdfTextPage, number: int) -> list[PdfLine]:
    """The lines of a page that have text, in reading order."""
    count = max(0, raw.FPDFText_CountChars(page))
    read = raw.FPDFText_GetUnicode
    codes = [read(page, at) for at in range(count)]
    lines = (_line(page, number, codes, start, end) for start, end in _ranges(codes))
    return [line for line in lines if line is not None]


def _ranges(codes: list[int]) -> Iterator[tuple[int, int]]:
    """Where lines begin and end; a hyphen belongs to its line."""
    start = 0
    for at, code in enumerate(codes):
        if code in _LINE_ENDS:
            end = at + 1 if code == _HYPHEN else at
            if end > start:
                yield start, end
            start = at + 1
    if start < len(codes):
        yield start, len(codes)


def _line(
    page: pypdfium2.PdfTextPage, number: int, codes: list[int], start: int, end: int
) -> PdfLine | None:
    ends_in_hyphen = codes[end - 1] == _HYPHEN
    if ends_in_hyphen:
        end -= 1
    while start < end and codes[start] in _SPACES:
        start += 1
    while start < end and codes[end - 1] in _SPACES:
        end -= 1
    if start == end:
        return None
    size = _line_size(page, codes, start, end)
    cells = tuple(
        cell
        for first, last in _cell_ranges(page, codes, start, end, size)
        if (cell := _text(codes[first:last]))
    )
    if not cells:
        return None
    first_box, last_box = _box(page, start), _box(page, end - 1)
    return PdfLine(
        page=number,
        text=" ".join(cells),
        cells=cells,
        ends_in_hyphen=ends_in_hyphen,
        size=size,
        left=min(first_box.left, last_box.left),  # Arabic begins at the right
        right=max(first_box.right, last_box.right),
        y=_base_line(page, start, first_box),
        unreadable=sum(
            1 for code in codes[start:end] if code in _UNREADABLE or code in _PRIVATE_USE
        ),
    )


def _cell_ranges(
    page: pypdfium2.PdfTextPage, codes: list[int], start: int, end: int, size: float
) -> Iterator[tuple[int, int]]:
    """The parts of a line that wide gaps separate."""
    first = at = start
    while at < end:
        if codes[at] not in _SPACES:
            at += 1
            continue
        before = at - 1
        while codes[at] in _SPACES:  # a line ends with no space
            at += 1
        gap = max(
            _box(page, at).left - _box(page, before).right,
            _box(page, before).left - _box(page, at).right,
        )
        if gap > size * _CELL_GAP:
            yield first, before + 1
            first = at
    yield first, end


def _text(codes: list[int]) -> str:
    return clean_line(without_surrogates("".join(map(chr, codes))))


def _box(page: pypdfium2.PdfTextPage, at: int) -> _Box:
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    raw.FPDFText_GetCharBox(page, at, byref(left), byref(right), byref(bottom), byref(top))
    return _Box(left.value, right.value, bottom.value)


def _base_line(page: pypdfium2.PdfTextPage, at: int, box: _Box) -> float:
    x, y = c_double(), c_double()
    return y.value if raw.FPDFText_GetCharOrigin(page, at, byref(x), byref(y)) else box.bottom


def _line_size(page: pypdfium2.PdfTextPage, codes: list[int], start: int, end: int) -> float:
    """The size of most of a line: its bullet or footnote sign can have another."""
    middle = (start + end) // 2
    while codes[middle] in _SPACES:
        middle += 1
    return sorted(_size(page, at) for at in (start, middle, end - 1))[1]


def _size(page: pypdfium2.PdfTextPage, at: int) -> float:
    """The size as it is drawn: many PDFs have fonts of size 1 and enlarge them by a matrix."""
    size = float(raw.FPDFText_GetFontSize(page, at))
    matrix = raw.FS_MATRIX()
    if raw.FPDFText_GetMatrix(page, at, byref(matrix)):
        size *= math.hypot(matrix.c, matrix.d)
    return round(size, 1) or 1.0
