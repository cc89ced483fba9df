from __future__ import annotations

import pytest

from apps.conversations.citations import citation_marks, cited_numbers


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("Yes [1].", {1}),
        ("Yes [1][3], or [2, 4; 5].", {1, 2, 3, 4, 5}),
        ("No: [], [0x1], [1-2], [a], [123], 1] and [1", set()),
        ("Seen in [1](https://acme.example)", {1}),
        ("", set()),
    ],
)
def test_marks_cite_numbers(answer: str, numbers: set[int]) -> None:
    assert cited_numbers(answer) == numbers


def test_marks_have_their_place_in_the_answer() -> None:
    answer = "😀 Yes [1], and [2, 1, 2]."
    marks = citation_marks(answer)
    assert [answer[mark.start : mark.end] for mark in marks] == ["[1]", "[2, 1, 2]"]
    assert [mark.numbers for mark in marks] == [(1,), (2, 1)]
