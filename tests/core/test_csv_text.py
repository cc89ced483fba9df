"""Write CSV for spreadsheets."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from apps.core.csv_text import csv_lines


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "-", "=HYPERLINK(1)"],
)
def test_formula_cell_becomes_text(cell: str) -> None:
    [[result]] = csv.reader(StringIO(csv_lines([[cell]]), newline=""))
    assert result == f"'{cell}"


def test_other_cells_are_unchanged() -> None:
    cells = ["plain", 'a "quoted", cell', "two\nlines", "a=b", "Ünï ✓", "", "'"]
    header, row = csv.reader(StringIO(csv_lines([["one"] * 7, cells]), newline=""))
    assert (header, row) == (["one"] * 7, cells)


def test_numbers_stay_numbers_and_none_is_empty() -> None:
    assert csv_lines([["n"], [-5, 1.5, None, True]]) == "n\r\n-5,1.5,,True\r\n"


def test_csv_lines_continue_a_table() -> None:
    assert csv_lines([["n"], [1], [2]]) == csv_lines([["n"]]) + csv_lines([[1]]) + csv_lines([[2]])
