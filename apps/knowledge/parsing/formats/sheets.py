"""Tables of files: CSV, and the sheets of XLSX, XLS and ODS. A row is one block."""

import csv
import datetime
from collections.abc import Iterable, Iterator
from io import BytesIO, StringIO
from typing import Any

from apps.knowledge.parsing import limits
from apps.knowledge.parsing.containers import ENCRYPTED, check_zip
from apps.knowledge.parsing.detection import MediaType, csv_delimiter
from apps.knowledge.parsing.formats.tables import is_header, row_text
from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import Block, BlockKind, ParsedDocument, ParsingFailed

DAMAGED = (
    "The spreadsheet is damaged and cannot be read. Open it, save it again and upload the copy."
)
NO_TEXT = "The spreadsheet has no cells with content in its visible sheets."
TOO_MANY_CELLS = (
    "The sheet {name!r} has more than {cells:,} cells, counting empty ones. Delete unused rows and "
    "columns, or split it."
)

MAX_CELLS = 5_000_000
"""Cells of a sheet's used range. One stray cell in the last corner makes it 17 billion."""

_DIGITS = 15
"""A number in a spreadsheet has that many that count: 0.1 + 0.2 is shown as 0.3."""


def parse_csv(text: str) -> ParsedDocument:
    """The first row has the names of the columns, unless it has a number or an empty cell there."""
    delimiter = csv_delimiter(text[:65_536], is_said=True) or ","
    csv.field_size_limit(limits.MAX_TEXT_CHARACTERS)
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        return ParsedDocument("", tuple(sheet_blocks(rows)), MediaType.CSV)
    except csv.Error:
        raise ParsingFailed("damaged", DAMAGED) from None


def parse_spreadsheet(data: bytes, media_type: MediaType) -> ParsedDocument:
    """Visible sheets in order; each one's name is a heading if there are several."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

    if media_type != MediaType.XLS:
        check_zip(data)
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        names = [
            each.name for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible
        ]
        blocks: list[Block] = []
        for name in names:
            heading = [Block(BlockKind.HEADING, clean_line(name), 1)] if len(names) > 1 else []
            found = list(sheet_blocks(_rows(book, name)))
            blocks += [*heading, *found] if found else []
    except PasswordError:
        raise ParsingFailed("encrypted", ENCRYPTED) from None
    except CalamineError:
        raise ParsingFailed("damaged", DAMAGED) from None
    if not blocks:
        raise ParsingFailed("no_text", NO_TEXT)
    return ParsedDocument("", tuple(blocks), media_type)


def sheet_blocks(rows: Iterable[Iterable[Any]]) -> Iterator[Block]:
    """The rows of one sheet. What stands above the row of column names becomes paragraphs."""
    header: list[str] | None = None
    waiting: list[str] = []
    for row in rows:
        cells = [_cell_text(cell) for cell in row]
        filled = [cell for cell in cells if cell]
        if not filled:
            continue
        if header is None and len(filled) == 1 and len(cells) > 1:
            waiting.append(filled[0])
            continue
        if header is None:
            yield from (Block(BlockKind.PARAGRAPH, text) for text in waiting)
            waiting.clear()
            header = cells if _is_sheet_header(cells) else []
            if header:
                waiting = [row_text([], cells)]
                continue
        waiting.clear()
        yield Block(BlockKind.TABLE_ROW, row_text(header, cells))
    # A sheet of one row, or of one column below others.
    yield from (Block(BlockKind.TABLE_ROW, text) for text in waiting)


def _is_sheet_header(cells: list[str]) -> bool:
    """Names of columns at the left, perhaps with empty cells at the end of the row."""
    while cells and not cells[-1]:
        cells = cells[:-1]
    return len(cells) > 1 and is_header(cells)


def _rows(book: Any, name: str) -> Iterator[list[Any]]:
    sheet = book.get_sheet_by_name(name)
    if sheet.height * sheet.width > MAX_CELLS:
        message = TOO_MANY_CELLS.format(name=clean_line(name), cells=MAX_CELLS)
        raise ParsingFailed("too_large", message)
    yield from sheet.iter_rows()


def _cell_text(value: Any) -> str:
    """A cell as a spreadsheet shows it, dates as ISO 8601."""
    if isinstance(value, str):
        return clean_line(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    if isinstance(value, datetime.datetime):
        is_date = value.time() == datetime.time()
        return value.date().isoformat() if is_date else value.isoformat(" ", "minutes")
    return str(value)
