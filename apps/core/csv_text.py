"""Write CSV that is safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

_FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV (RFC 4180) without formulas.

    A spreadsheet evaluates a cell that begins with = + - @ or a control character as a formula,
    whoever wrote it; an apostrophe before it makes it text. Numbers are left unchanged.
    """
    out = StringIO()
    csv.writer(out).writerows([_escape(cell) for cell in row] for row in rows)
    return out.getvalue()


def _escape(cell: object) -> object:
    if isinstance(cell, int | float):
        return cell
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_PREFIXES) else text
