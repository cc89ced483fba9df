"""Parse a CSV file of adjustments into lines and error messages, row by row.

Nothing is guessed: an ambiguous cell, an unknown column or another encoding than UTF-8 is an error.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from django.db.models import Q

from apps.adjustments.lines import LineData
from apps.core.dates import FIRST_YEAR, LAST_YEAR, DayOutOfBounds, end_of_day, parse_day
from apps.core.ids import is_id
from apps.credits.models import Category
from apps.workspaces.models import Workspace

COLUMNS = ("workspace", "amount", "kind", "reason", "reference", "expiry")
MAX_ROWS = 1000
MAX_BYTES = 512 * 1024
EXAMPLE_ROW = "acme,250,goodwill,Slow answers on 3 May,T-1042,2027-12-31"

_WHOLE_NUMBER = re.compile(r"([+-]?[0-9]{1,13})(?:\.0{1,2})?\Z")
"""Spreadsheets write 250 as 250.00; three zeros could be a thousand in other countries."""
_OPTIONAL_COLUMNS = {"reference", "expiry"}
_FORMULA_PREFIXES = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_OTHER_FORMATS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"PK\x03\x04", "a spreadsheet"),
)


class InvalidCsvFile(Exception):
    """The file as a whole cannot be read. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row: its number in the file, its cells as written, and its line or its errors."""

    number: int
    cells: Mapping[str, str]
    line: LineData | None = None
    errors: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file that could be read. Its rows may have errors."""

    rows: Sequence[CsvRow] = ()

    @property
    def lines(self) -> list[LineData]:
        """The lines of the rows without errors."""
        return [row.line for row in self.rows if row.line is not None]


def parse_csv_file(content: bytes) -> CsvFile:
    """Return the rows of the file. Raises InvalidCsvFile."""
    numbered = _read_rows(_decode(content))
    header = _without_empty_end([cell.lower() for cell in numbered[0][1]])
    _check_header(header)
    cells = [
        (number, _complete(row, header))
        for number, row in ((number, _without_empty_end(row)) for number, row in numbered[1:])
        if row
    ]
    if not cells:
        raise InvalidCsvFile("The file has no rows.")
    if len(cells) > MAX_ROWS:
        raise InvalidCsvFile(f"The file has {len(cells):,} rows. The maximum is {MAX_ROWS:,}.")
    columns = [dict(zip(header, row, strict=False)) for _, row in cells]
    workspace_ids = _workspace_ids([row.get("workspace", "") for row in columns])
    row_of_workspace: dict[str, int] = {}
    rows = [
        _parse_row(number, row, len(texts), len(header), workspace_ids, row_of_workspace)
        for (number, texts), row in zip(cells, columns, strict=True)
    ]
    return CsvFile(rows)


def _without_empty_end(cells: Sequence[str]) -> list[str]:
    """The cells, trimmed, without the empty ones that spreadsheets add to the end of every row."""
    trimmed = [cell.strip() for cell in cells]
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    return trimmed


def _complete(row: Sequence[str], header: Sequence[str]) -> list[str]:
    """The row with empty cells for the optional columns that its end lacks."""
    missing = header[len(row) :]
    return [*row, *[""] * len(missing)] if _OPTIONAL_COLUMNS.issuperset(missing) else list(row)


def _decode(content: bytes) -> str:
    if not content.strip():
        raise InvalidCsvFile("The file is empty.")
    if len(content) > MAX_BYTES:
        raise InvalidCsvFile(f"The file has {len(content):,} bytes. The maximum is {MAX_BYTES:,}.")
    for prefix, name in _OTHER_FORMATS:
        if content.startswith(prefix):
            raise InvalidCsvFile(f"This is {name}, not CSV in UTF-8. Save it as “CSV UTF-8”.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InvalidCsvFile(
            f"Line {row} has a character that is not UTF-8. Save the file as “CSV UTF-8”."
        ) from error
    if "\x00" in text:
        raise InvalidCsvFile("The file contains NUL characters and is not a CSV file.")
    return text


def _read_rows(text: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        return list(enumerate(reader, start=1))
    except csv.Error as error:
        raise InvalidCsvFile(
            f"Line {reader.line_num} is not CSV: {error}. Check for an unclosed quote."
        ) from error


def _check_header(header: Sequence[str]) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and separator in header[0]:
            raise InvalidCsvFile(f"The columns are separated by {name}. Use commas.")
    missing = [name for name in COLUMNS if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if missing or unknown or repeated:
        parts = [
            f"{problem}: {', '.join(names)}."
            for problem, names in (
                ("Missing", missing),
                ("Unknown", unknown),
                ("Duplicate", repeated),
            )
            if names
        ]
        expected = f"The first row must name the columns {', '.join(COLUMNS)}."
        raise InvalidCsvFile(" ".join([expected, *parts]))


def _workspace_ids(names: Sequence[str]) -> dict[str, str]:
    """Map slug and id to id, for the workspaces that exist."""
    found = Workspace.objects.filter(Q(slug__in=names) | Q(pk__in=[n for n in names if is_id(n)]))
    ids: dict[str, str] = {}
    for id, slug in found.values_list("pk", "slug"):
        ids |= {id: id, slug: id}
    return ids


def _parse_row(
    number: int,
    cells: Mapping[str, str],
    width: int,
    columns: int,
    workspace_ids: Mapping[str, str],
    row_of_workspace: dict[str, int],
) -> CsvRow:
    if width != columns:
        error = f"This row has {width} cells, the header has {columns}. Quote cells with commas."
        return CsvRow(number, cells, errors=[error])
    errors = []
    workspace_id = workspace_ids.get(cells["workspace"], "")
    if not workspace_id:
        errors.append(f"Workspace {cells['workspace'] or '(empty)'} not found.")
    elif workspace_id in row_of_workspace:
        errors.append(
            f"{cells['workspace']} is already in row {row_of_workspace[workspace_id]}."
            " Combine the amounts."
        )
    else:
        row_of_workspace[workspace_id] = number
    amount = _WHOLE_NUMBER.match(cells["amount"])
    if not amount:
        errors.append("The amount must be a whole number such as 250 or -40, without separators.")
    if cells["kind"] not in Category.values:
        errors.append(f"The kind must be one of {', '.join(Category.values)}.")
    errors += _text_errors(cells)
    expires_at = None
    if cells["expiry"]:
        try:
            expires_at = end_of_day(parse_day(cells["expiry"]))
        except DayOutOfBounds:
            errors.append(f"The expiry must be between {FIRST_YEAR} and {LAST_YEAR}, or empty.")
        except ValueError:
            errors.append("The expiry must be a date such as 2027-12-31, or empty.")
    if errors or not amount:
        return CsvRow(number, cells, errors=errors)
    return CsvRow(
        number,
        cells,
        LineData(
            workspace_id=workspace_id,
            credits=int(amount[1]),
            category=cells["kind"],
            reason=cells["reason"],
            reference=cells["reference"],
            expires_at=expires_at,
            number=number,
        ),
    )


def _text_errors(cells: Mapping[str, str]) -> list[str]:
    errors = []
    if not cells["reason"]:
        errors.append("Enter a reason.")
    for name, max_length in (("reason", 500), ("reference", 200)):
        if cells[name].startswith(_FORMULA_PREFIXES):
            errors.append(
                f"The {name} begins with {cells[name][0]}, which spreadsheets read as a formula."
            )
        if len(cells[name]) > max_length:
            errors.append(
                f"The {name} has {len(cells[name]):,} characters. The maximum is {max_length}."
            )
    return errors
