"""Whether what was found probably answers the question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.knowledge.search.relevance import Evidence, probably_answers, weigh
from apps.knowledge.search.statement import Candidate
from apps.knowledge.search.terms import search_terms

SHIPPING = "We ship parcels on Mondays and Thursdays, with a tracking number."
QUESTION = "When do you ship parcels?"
EVIDENCE = Evidence(
    coverage=0.7, known=1.0, agreement=True, lead=5, gap=2, has_few_chunks=False, is_short=False
)


def candidate(
    question: str,
    text: str,
    *,
    matches: dict[str, int],
    chunks: int = 100,
    rank: int = 1,
    distance: float = 0.1,
) -> Candidate:
    counts = [float(matches.get(term.word, 0)) for term in search_terms(question)]
    has_words = any(counts)
    return Candidate(
        *("id", "source", "document", 0, [], text, None, 10, "digest", "", "", 0.1),
        vector_rank=rank,
        word_rank=rank if has_words else None,
        distance=distance,
        word_share=0.5 if has_words else None,
        embedding_model_id="model",
        chunks_in_all=chunks,
        matches=counts,
    )


def others(first: Candidate) -> list[Candidate]:
    """Nine neighbours that lie further away, near each other."""
    return [
        first._replace(
            text="Dogs are welcome.",
            vector_rank=rank,
            word_rank=None,
            distance=0.3 + rank / 1000,
        )
        for rank in range(2, 11)
    ]


def test_passage_with_the_words_answers() -> None:
    matches = {"when": 20, "do": 40, "you": 60, "ship": 3, "parcels": 2}
    first = candidate(QUESTION, SHIPPING, matches=matches)
    assert probably_answers(search_terms(QUESTION), [first, *others(first)])


def test_passage_without_the_rare_words_does_not_answer() -> None:
    question = "When do you repair broken zips?"
    matches = {"when": 20, "do": 40, "you": 60, "repair": 3, "broken": 2, "zips": 1}
    first = candidate(question, SHIPPING, matches=matches, distance=0.299)
    assert not probably_answers(search_terms(question), [first, *others(first)])


def test_question_in_another_language_is_judged_by_vectors() -> None:
    question = "Wann verschickt ihr Pakete?"
    near = candidate(question, SHIPPING, matches={})
    assert probably_answers(search_terms(question), [near, *others(near)])
    far = near._replace(distance=0.3029)
    assert not probably_answers(search_terms(question), [far, *others(near)])


def test_other_form_of_a_word_and_headings_count() -> None:
    question = "shipping parcel"
    first = candidate(question, SHIPPING, matches={"shipping": 1, "parcel": 1})
    other_form = weigh(search_terms(question), [first]).coverage
    heading = weigh(search_terms(question), [first._replace(title="Shipping")]).coverage
    assert 0 < other_form < heading < 1


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        (QUESTION, SHIPPING, True),
        ("Thank you!", SHIPPING, False),
        ("Wann verschickt ihr Pakete?", SHIPPING, True),
    ],
)
def test_base_of_one_chunk(question: str, text: str, expected: bool) -> None:
    found = dict.fromkeys(("ship", "parcels", "and", "with", "a", "on"), 1)
    only = candidate(question, text, matches=found, chunks=1)
    assert probably_answers(search_terms(question), [only]) is expected


def test_short_question_needs_common_words() -> None:
    assert EVIDENCE.is_enough
    assert not replace(EVIDENCE, is_short=True, coverage=0.1).is_enough


def test_base_of_few_chunks_needs_common_words_of_what_it_knows() -> None:
    few = replace(EVIDENCE, has_few_chunks=True, lead=0, gap=0, coverage=0.1)
    assert not replace(few, known=0.5).is_enough
    assert replace(few, known=0.0).is_enough


def test_nothing_found_answers_nothing() -> None:
    assert not probably_answers(search_terms(QUESTION), [])
