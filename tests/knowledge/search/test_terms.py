"""The search terms of a question, and whether it is searched alone."""

from __future__ import annotations

import pytest

from apps.knowledge.search.terms import MAX_TERMS, needs_context, search_terms


def queries(question: str, context: str = "") -> dict[str, float]:
    return {term.query: term.weight for term in search_terms(question, context)}


def test_word_is_searched_whole_and_by_its_beginning() -> None:
    assert queries("Wanderschuhe an") == {"'wanderschuhe'": 1.0, "'wandersch':*": 0.5, "'an'": 1.0}


def test_unspaced_word_is_searched_by_neighbouring_letters() -> None:
    assert queries("送料は") == {"'送料':*": 1.0, "'料は':*": 1.0}


def test_context_counts_less() -> None:
    assert queries("red", "red sock") == {"'red'": 1.0, "'sock'": 0.3, "'sock':*": 0.15}


def test_terms_are_limited() -> None:
    assert len(search_terms(" ".join(f"word{n}" for n in range(100)))) == MAX_TERMS


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("And how much is it?", True),
        ("Thanks!", True),
        ("いくらですか", False),
        ("何?", True),
        ("What do the red hiking boots cost?", False),
    ],
)
def test_short_questions_need_context(question: str, expected: bool) -> None:
    assert needs_context(question) is expected
