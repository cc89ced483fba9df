"""Write CSV for spreadsheets."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from apps.core.csv_text import csv_lines


@pytest.mark.parametrize(
    "cell",
    [
        *("=1+1", "=HYPERLINK(1)", "@SUM(A1)", "＝1", "＠SUM(A1)"),
        *("  =1", "\t=1", "\r=1", "\n=1", "\xa0=1", "\u3000=1", "\u200b=1", "\ufeff=1", "\u202e=1"),
        *("+1+1", "-1+1", "- 1 + 1", "-(1+1)", "-1=1", "+44*2", "+44-20-7946"),
        *("-A1", "+A1", "-x", "-SUM(A1)", "- SUM (A1)", "－SUM（A1）", "- LOG10(2)"),
        *("+cmd|' /C calc'!A0", "- cmd|'/C calc'!A0", "-2+3+cmd|' /C calc'!A0"),
        *("- Sheet2!A1", '- HYPERLINK ("https://x.example", "ok")', " \n-SUM(A1)"),
    ],
)
def test_formula_cell_becomes_text(cell: str) -> None:
    [[result]] = csv.reader(StringIO(csv_lines([[cell]]), newline=""))
    assert result == f"'{cell}"


@pytest.mark.parametrize(
    "cell",
    [
        *("+442079460958", "+44 20 7946 0958", "+44 (0)20 7946 0958", "+1", "-1", "-1,234.50"),
        *(
            "- item",
            "- item\n- other",
            "-\u3000項目",
            "－ 項目",
            "- 5 items",
            "- Äpfel",
            "-",
            "---",
        ),
        *("- Hello! How are you?", "- [Docs](https://x.example/a-b)", "-12.5 °C outside"),
        *("+44 20 7946 0958 is my number", " - item", "a-b", "1-1"),
    ],
)
def test_number_or_list_item_is_unchanged(cell: str) -> None:
    [[result]] = csv.reader(StringIO(csv_lines([[cell]]), newline=""))
    assert result == cell


@pytest.mark.parametrize("piece", ["a", "a ", "- ", "1", "(", "a(", "é.", "1 ", "!", "\u200b"])
def test_time_to_judge_a_cell_is_linear(piece: str) -> None:
    # Ten times the longest message: with quadratic time, the test would exceed its timeout.
    for start in ("", "- ", "-1"):
        assert csv_lines([[start + piece * 320_000]])


def test_other_cells_are_unchanged() -> None:
    cells = ["plain", 'a "quoted", cell', "two\nlines", "a=b", "Ünï ✓", "", "'"]
    header, row = csv.reader(StringIO(csv_lines([["one"] * 7, cells]), newline=""))
    assert (header, row) == (["one"] * 7, cells)


def test_numbers_stay_numbers_and_none_is_empty() -> None:
    assert csv_lines([["n"], [-5, 1.5, None, True]]) == "n\r\n-5,1.5,,True\r\n"


def test_csv_lines_continue_a_table() -> None:
    assert csv_lines([["n"], [1], [2]]) == csv_lines([["n"]]) + csv_lines([[1]]) + csv_lines([[2]])
