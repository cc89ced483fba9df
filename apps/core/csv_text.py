"""Write CSV that programs read as it is and that is safe to open in a spreadsheet.

docs/reference/csv.md has the rules.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO
from unicodedata import normalize

BYTE_ORDER_MARK = "\ufeff"
"""Begins a file for people: without it, Excel takes UTF-8 for the encoding of its country."""

_BEFORE_CELL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*")
"""What some spreadsheet drops from the beginning of a cell."""
_EVALUATED = ("=", "@", "＝", "＠")
_SIGNS = ("+", "-", "＋", "－")
_PLAIN_AFTER_SIGN = re.compile(
    r"[+-][\d\s.,()]*\Z"  # a number or a phone number
    r"|[+\-\s]+\Z"  # a rule
    r"|[+-](?:\d[\d.,()]*)?\s(?s:.*[^\W\d_])"  # a list item, or words after a number
)
_CALL_OR_REFERENCE = re.compile(r"[^\W\d][\w.]{0,40}\s*\(|\||!\S")
"""What a formula needs to do anything: a function, a DDE link, a cell of another sheet."""


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV (RFC 4180) without formulas: an apostrophe makes a cell text.

    Only cells that a spreadsheet would evaluate get one, so that phone numbers, negative numbers
    and list items stay what they are for programs.
    """
    out = StringIO()
    csv.writer(out).writerows([_escape(cell) for cell in row] for row in rows)
    return out.getvalue()


def _escape(cell: object) -> object:
    if isinstance(cell, int | float):
        return cell
    text = "" if cell is None else str(cell)
    return f"'{text}" if _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet evaluates this text, with an effect or another result than the text."""
    start = _BEFORE_CELL.match(text)
    shown = text[start.end() if start else 0 :]
    if not shown.startswith(_SIGNS):
        return shown.startswith(_EVALUATED)
    expression = normalize("NFKC", shown)
    is_plain = _PLAIN_AFTER_SIGN.match(expression) is not None
    return not is_plain or _CALL_OR_REFERENCE.search(expression) is not None
