"""Rows of tables as text: each with the names of its columns, so that a row is clear alone."""

import re
from collections.abc import Iterator, Sequence

from apps.knowledge.parsing.text_cleaning import clean_line
from apps.knowledge.parsing.types import Block, BlockKind

MAX_HEADER_CHARACTERS = 120
"""A first row with a longer cell is no header: repeated in each row, it would drown the values."""

_MIN_GUESSED_COLUMNS = 3
_YEAR = re.compile(r"(?:19|20|21)\d\d(?:-\d\d){0,2}")
"""Years, months and days, which columns are often named after."""
_NUMBER = re.compile(r"[^\w]*\d[\d\s.,:/%-]*[^\w]*")


def table_blocks(
    rows: Sequence[Sequence[str]],
    *,
    has_header: bool | None = None,
    page: int | None = None,
) -> Iterator[Block]:
    """The blocks of a table.

    `has_header` is what the document says of the first row; None if it says nothing. Then a first
    row of at least three different texts is one. A table of two columns is as often a list of
    names and values, which has none.
    """
    cleaned = [[clean_line(cell) for cell in row] for row in rows]
    cleaned = [row for row in cleaned if any(row)]
    if not cleaned:
        return
    if has_header is None:
        has_header = len(cleaned[0]) >= _MIN_GUESSED_COLUMNS and is_header(cleaned[0])
    is_short = all(len(cell) <= MAX_HEADER_CHARACTERS for cell in cleaned[0])
    header = cleaned.pop(0) if has_header and is_short and len(cleaned) > 1 else []
    for row in cleaned:
        yield Block(BlockKind.TABLE_ROW, row_text(header, row), page=page)


def row_text(header: Sequence[str], row: Sequence[str]) -> str:
    """`Column: value; Column: value` with a header, else `value | value`; no empty cells."""
    if not any(header):
        return " | ".join(cell for cell in row if cell)
    names = [*header, *[""] * (len(row) - len(header))]
    parts = [
        f"{name}: {cell}" if name and name != cell else cell
        for name, cell in zip(names, row, strict=False)
        if cell
    ]
    return "; ".join(parts)


def is_header(row: Sequence[str]) -> bool:
    """Whether the cells could be names of columns: filled, different, and not numbers but years.

    The first one can be empty, above names of rows.
    """
    names = row if row and row[0] else row[1:]
    values = [name for name in names if _NUMBER.fullmatch(name)]
    return (
        len(names) > 0
        and all(names)
        and len(set(names)) == len(names)
        and all(_YEAR.fullmatch(value) for value in values)
        and (len(values) < len(names) or len(names) < len(row))
        and all(len(name) <= MAX_HEADER_CHARACTERS for name in names)
    )
