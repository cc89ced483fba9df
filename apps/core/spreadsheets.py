"""Tables as files for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The table as CSV (RFC 4180), every cell inert.

    A spreadsheet takes a cell that begins with = + - @ or a control character for a formula,
    whoever wrote it; an apostrophe before it makes it text. Numbers of ours are left as they are.
    """
    return "".join(csv_lines(header, rows))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The same, line by line while the rows come: for tables too long to be held."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        yield _taken(out)
        writer.writerow([_inert(cell) for cell in row])
    yield _taken(out)


def _taken(out: StringIO) -> str:
    line = out.getvalue()
    out.seek(0)
    out.truncate()
    return line


def _inert(cell: object) -> object:
    if isinstance(cell, int | float):
        return cell
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_A_FORMULA) else text
