"""The words by which texts are found."""

from __future__ import annotations

import pytest

from apps.core.search_words import (
    build_tsquery,
    build_tsvector,
    count_words,
    extract_words,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Where's my  ORDER, order?", {"where", "s", "my", "order"}),
        ("ana@example.com", {"ana", "example", "com"}),
        ("Crème brûlée à Zürich", {"creme", "brulee", "a", "zurich"}),
        ("STRASSE straße", {"strasse"}),
        ("№ 4711-b_2", {"no", "4711", "b", "2"}),
        ("何時ですか", {"何時てすか", "時てすか", "てすか", "すか", "か"}),
        ("… 😀 \0", set()),
        ("x" * 70, {"x" * 64}),
    ],
)
def test_extract_words(text: str, words: set[str]) -> None:
    assert extract_words(text) == words


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("refund", "'refund':*"),
        ("My Order's my", "'my' & 'order':* & 's'"),
        ("' | !(x:* <-> \\", "'x'"),
        ("時で", "'時て':*"),
        ("…", None),
        ("", None),
    ],
)
def test_build_tsquery(typed: str, query: str | None) -> None:
    assert build_tsquery(typed) == query


def test_count_words() -> None:
    assert count_words("Boots, BOOTS and böots 靴靴") == {"boots": 3, "and": 1, "靴靴": 1, "靴": 1}


def test_build_tsvector_weighs_words_by_their_number() -> None:
    assert build_tsvector("one two One") == "'one':1C 'two'"
    assert build_tsvector("x " * 4 + "y " * 99) == "'x':1B 'y':1A"
