"""A CSV file of adjustments, read row by row: each a line, or what is wrong with it in words.

Nothing is guessed: a cell that could be meant in two ways, a column that is not known, an encoding
that is not UTF-8 are told to the person rather than taken for something.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from io import StringIO

from django.db.models import Q

from apps.adjustments.queries import LineData
from apps.core.ids import is_id
from apps.credits.models import Category
from apps.workspaces.models import Workspace

COLUMNS = ("workspace", "amount", "kind", "reason", "reference", "expiry")
MAX_ROWS = 1000
MAX_BYTES = 512 * 1024
EXAMPLE_ROW = "acme,250,goodwill,Slow answers on 3 May,T-1042,2027-12-31"

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,13}\Z")
_FORMULA_PREFIXES = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_OTHER_FORMATS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"PK\x03\x04", "a spreadsheet"),
)


class InvalidCsvFile(Exception):
    """The file as a whole is not what it should be; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: its number in the file, its cells as written, and its line or what is wrong."""

    number: int
    cells: Mapping[str, str]
    line: LineData | None = None
    errors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file that could be read; its rows may still be wrong."""

    digest: str
    rows: Sequence[CsvRow] = field(default=())

    @property
    def lines(self) -> list[LineData]:
        """The lines of the rows with which nothing is wrong."""
        return [row.line for row in self.rows if row.line is not None]


def file_digest(content: bytes) -> str:
    """What a file is known by: the SHA-256 of its bytes."""
    return hashlib.sha256(content).hexdigest()


def parse_csv_file(content: bytes) -> CsvFile:
    """The rows of the file. Raises Unreadable."""
    rows = _read_rows(_decode(content))
    header = [cell.strip().lower() for cell in rows[0][1]]
    _check_header(header)
    cells = [
        (number, dict(zip(header, (c.strip() for c in row), strict=False)), len(row))
        for number, row in rows[1:]
        if any(cell.strip() for cell in row)
    ]
    if not cells:
        raise InvalidCsvFile("The file has a header and no rows.")
    if len(cells) > MAX_ROWS:
        raise InvalidCsvFile(
            f"The file has {len(cells):,} rows. Send at most {MAX_ROWS:,} at a time."
        )
    places = _workspace_ids([row.get("workspace", "") for _, row, _ in cells])
    seen: dict[str, int] = {}
    return CsvFile(
        file_digest(content),
        [_parse_row(number, row, width, len(header), places, seen) for number, row, width in cells],
    )


def end_of_day(day: date) -> datetime:
    """When credits that can be used through this day (UTC) lapse."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def _decode(content: bytes) -> str:
    if not content.strip():
        raise InvalidCsvFile("The file is empty.")
    if len(content) > MAX_BYTES:
        raise InvalidCsvFile(
            f"The file has {len(content):,} bytes. Send at most {MAX_BYTES:,} at a time."
        )
    for mark, name in _OTHER_FORMATS:
        if content.startswith(mark):
            raise InvalidCsvFile(f"This is {name}, not CSV in UTF-8. Save it as “CSV UTF-8”.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InvalidCsvFile(
            f"Line {row} has a character that is not UTF-8. Save the file as “CSV UTF-8”."
        ) from error
    if "\x00" in text:
        raise InvalidCsvFile("The file has NUL characters; it is no CSV file.")
    return text


def _read_rows(text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        return list(enumerate(reader, start=1))
    except csv.Error as error:
        raise InvalidCsvFile(
            f"Line {reader.line_num} is not CSV: {error}. Look for a quote that is not closed."
        ) from error


def _check_header(header: Sequence[str]) -> None:
    for sign, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and sign in header[0]:
            raise InvalidCsvFile(f"The columns are separated by {name}. Separate them by commas.")
    missing = [name for name in COLUMNS if name not in header]
    strange = [name for name in header if name not in COLUMNS]
    twice = sorted({name for name in header if header.count(name) > 1})
    if missing or strange or twice:
        parts = [
            f"{what}: {', '.join(names)}."
            for what, names in (("Missing", missing), ("Not known", strange), ("Twice", twice))
            if names
        ]
        told = f"The first row names the columns {', '.join(COLUMNS)}."
        raise InvalidCsvFile(" ".join([told, *parts]))


def _workspace_ids(names: Sequence[str]) -> dict[str, str]:
    """From slug and id to id, for the workspaces that there are."""
    found = Workspace.objects.filter(Q(slug__in=names) | Q(pk__in=[n for n in names if is_id(n)]))
    places: dict[str, str] = {}
    for id, slug in found.values_list("pk", "slug"):
        places |= {id: id, slug: id}
    return places


def _parse_row(
    number: int,
    cells: Mapping[str, str],
    width: int,
    columns: int,
    places: Mapping[str, str],
    seen: dict[str, int],
) -> CsvRow:
    wrong = []
    if width != columns:
        wrong.append(f"This row has {width} cells, the header {columns}. Quote cells with commas.")
        return CsvRow(number, cells, errors=wrong)
    workspace_id = places.get(cells["workspace"], "")
    if not workspace_id:
        wrong.append(f"There is no workspace {cells['workspace'] or '(empty)'}.")
    elif workspace_id in seen:
        wrong.append(
            f"{cells['workspace']} is in row {seen[workspace_id]} already. Add the amounts up."
        )
    else:
        seen[workspace_id] = number
    if not _WHOLE_NUMBER.match(cells["amount"]):
        wrong.append("The amount is a whole number such as 250 or -40, without separators.")
    if cells["kind"] not in Category.values:
        wrong.append(f"The kind is one of {', '.join(Category.values)}.")
    wrong += _text_errors(cells)
    expires_at = None
    if cells["expiry"]:
        try:
            expires_at = end_of_day(date.fromisoformat(cells["expiry"]))
        except (ValueError, OverflowError):
            wrong.append("The expiry is a day such as 2027-12-31, or empty.")
    if wrong:
        return CsvRow(number, cells, errors=wrong)
    return CsvRow(
        number,
        cells,
        LineData(
            workspace_id=workspace_id,
            credits=int(cells["amount"]),
            category=cells["kind"],
            reason=cells["reason"],
            reference=cells["reference"],
            expires_at=expires_at,
            number=number,
        ),
    )


def _text_errors(cells: Mapping[str, str]) -> list[str]:
    wrong = []
    if not cells["reason"]:
        wrong.append("Give a reason.")
    for name, most in (("reason", 500), ("reference", 200)):
        if cells[name].startswith(_FORMULA_PREFIXES):
            wrong.append(
                f"The {name} begins with {cells[name][0]}, which a spreadsheet takes for a formula."
            )
        if len(cells[name]) > most:
            wrong.append(f"The {name} has {len(cells[name]):,} characters; {most} are the most.")
    return wrong
