"""Parsing CSV files of adjustments, and their errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.adjustments.csv_import import MAX_BYTES, MAX_ROWS, InvalidCsvFile, parse_csv_file
from apps.adjustments.lines import LineData
from apps.adjustments.repeats import content_digest
from tests.factories import Team

HEADER = "workspace,amount,kind,reason,reference,expiry"


def csv(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join([header, *rows, ""]).encode()


def row_errors(*rows: str) -> list[list[str]]:
    """Return the errors of each row."""
    return [list(row.errors) for row in parse_csv_file(csv(*rows)).rows]


def test_rows_are_parsed_by_slug_or_id_in_any_column_order(team: Team) -> None:
    parsed = parse_csv_file(
        csv(
            f' T-1 ,{team.workspace.slug},goodwill,"Slow, twice",+250,2027-12-31',
            f",{team.other_workspace.id},correction,Counted twice,-40,",
            header="reference,Workspace,Kind,Reason,Amount,Expiry",
        )
    )
    assert parsed.lines == [
        LineData(
            workspace_id=team.workspace.id,
            credits=250,
            category="goodwill",
            reason="Slow, twice",
            reference="T-1",
            expires_at=datetime(2028, 1, 1, tzinfo=UTC),
            number=2,
        ),
        LineData(team.other_workspace.id, -40, "correction", "Counted twice", number=3),
    ]


def test_byte_order_mark_and_empty_rows_are_ignored(team: Team) -> None:
    content = b"\xef\xbb\xbf" + csv("", f"{team.workspace.slug},5,goodwill,x,,", ",,,,,")
    (row,) = parse_csv_file(content).rows
    assert (row.number, row.errors, row.line is not None) == (3, (), True)


def content(file: bytes) -> str:
    return content_digest(parse_csv_file(file).lines)


def test_file_saved_again_by_a_spreadsheet_has_the_same_content(team: Team) -> None:
    slug, other = team.workspace.slug, team.other_workspace.slug
    first = f"{slug},250,goodwill,May,T-1,2027-12-31"
    second = f"{other},-40,correction,Counted twice,,"
    original = content(csv(first, second))
    assert len(original) == 64
    for same in (
        b"\xef\xbb\xbf" + csv(first, second, "", ""),
        csv(second, first).replace(b"\r\n", b"\n"),
        csv(first, second).removesuffix(b"\r\n"),
        csv(f"{first},,", f"{second},,", ",,,,,,,", header=f"{HEADER},,"),
        csv(first, second.removesuffix(",,")),
        csv(first.replace("250", "250.00"), second.replace("-40", "-040")),
        csv(
            f"May,{slug},2027-12-31,T-1,+250,goodwill",
            f"Counted twice,{team.other_workspace.id},,,-40,correction",
            header="Reason,Workspace,Expiry,Reference,Amount,Kind",
        ),
    ):
        assert [row.errors for row in parse_csv_file(same).rows] == [(), ()]
        assert content(same) == original
    for different in (csv(first), csv(first.replace("May", "June"), second)):
        assert content(different) != original


@pytest.mark.parametrize(
    ("amount", "is_valid"),
    [
        ("5", True),
        ("-5", True),
        ("+5", True),
        ("", False),
        ("1,000", False),
        ("1.5", False),
        ("5.00", True),
        ("-5.0", True),
        ("5.000", False),
        ("5.", False),
        ("1e3", False),
        ("٥", False),
        ("0x10", False),
        ("1_000", False),
        ("=5", False),
        ("99999999999999", False),
    ],
)
def test_amount_is_a_whole_number(team: Team, amount: str, is_valid: bool) -> None:
    error = "The amount must be a whole number such as 250 or -40, without separators."
    assert row_errors(f'{team.workspace.slug},"{amount}",correction,x,,') == [
        [] if is_valid else [error]
    ]


def test_each_row_lists_all_its_errors(team: Team) -> None:
    slug = team.workspace.slug
    formula = "which spreadsheets read as a formula."
    assert row_errors(
        f"{slug},5,goodwill,fine,,",
        "nowhere,much,gift,,,tomorrow",
        f"{team.workspace.id},5,goodwill,fine,,",
        f"{team.other_workspace.slug},5,goodwill,=1+1,@x,2027-02-30",
        f"{slug},5,goodwill",
        f",5,goodwill,{'x' * 501},{'y' * 201},",
    ) == [
        [],
        [
            "Workspace nowhere not found.",
            "The amount must be a whole number such as 250 or -40, without separators.",
            "The kind must be one of goodwill, correction, purchase, promotion.",
            "Enter a reason.",
            "The expiry must be a date such as 2027-12-31, or empty.",
        ],
        [f"{team.workspace.id} is already in row 2. Combine the amounts."],
        [
            f"The reason begins with =, {formula}",
            f"The reference begins with @, {formula}",
            "The expiry must be a date such as 2027-12-31, or empty.",
        ],
        ["This row has 3 cells, the header has 6. Quote cells with commas."],
        [
            "Workspace (empty) not found.",
            "The reason has 501 characters. The maximum is 500.",
            "The reference has 201 characters. The maximum is 200.",
        ],
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b" \n", "The file is empty."),
        (HEADER.encode(), "The file has no rows."),
        ("workspace".encode("utf-16"), "This is UTF-16, not CSV in UTF-8."),
        (b"PK\x03\x04rest", "This is a spreadsheet, not CSV in UTF-8."),
        (
            csv("acme,5,goodwill,x,,") + b"caf\xe9,",
            "Line 3 has a character that is not UTF-8.",
        ),
        (
            csv("a\x00b,5,goodwill,x,,"),
            "The file contains NUL characters and is not a CSV file.",
        ),
        (HEADER.replace(",", ";").encode() + b"\nx", "separated by semicolons. Use commas."),
        (HEADER.replace(",", "\t").encode() + b"\nx", "separated by tabs. Use commas."),
        (csv('acme,5,goodwill,"x,,'), "is not CSV"),
        (
            b"workspace,amount,amount,kind,note\nx",
            "Missing: reason, reference, expiry. Unknown: note. Duplicate: amount.",
        ),
        (
            csv(*["a,1,goodwill,x,,"] * (MAX_ROWS + 1)),
            "The file has 1,001 rows. The maximum is",
        ),
        (b"x" * (MAX_BYTES + 1), "The file has 524,289 bytes. The maximum is 524,288"),
    ],
)
def test_invalid_file_is_rejected_with_a_reason(db: None, content: bytes, sentence: str) -> None:
    with pytest.raises(InvalidCsvFile) as caught:
        parse_csv_file(content)
    assert sentence in str(caught.value)
