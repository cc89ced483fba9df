"""From what was found to passages: no repeats, neighbours joined, within the budget."""

from __future__ import annotations

from dataclasses import replace

from apps.knowledge.search.results import Passage, join_texts, select_passages

FIRST = Passage(
    chunk_ids=("c1",),
    source_id="s",
    document_id="d",
    position=3,
    last_position=3,
    title="Guide",
    heading_path=("Guide", "Care"),
    url="",
    page=2,
    text="Brush the boots after every walk in the rain.",
    tokens=10,
    digest="1",
    score=0.03,
    matched_by=("vectors",),
)
NEXT = replace(
    FIRST,
    chunk_ids=("c2",),
    position=4,
    last_position=4,
    page=3,
    text="after every walk in the rain. Then let them dry slowly.",
    matched_by=("words",),
)
OTHER = replace(FIRST, chunk_ids=("c3",), document_id="e", text="We open at nine in winter.")


def select(*found: Passage, passages: int = 5, tokens: int = 100) -> list[Passage]:
    return select_passages(found, max_passages=passages, max_tokens=tokens)


def test_neighbours_are_joined_with_their_overlap_once() -> None:
    (joined,) = select(NEXT, FIRST)
    assert joined.text == (
        "Brush the boots after every walk in the rain. Then let them dry slowly."
    )
    assert (joined.chunk_ids, joined.page, joined.tokens) == (("c2", "c1"), 2, 20)
    assert (joined.position, joined.last_position) == (3, 4)
    assert joined.matched_by == ("words", "vectors")


def test_three_in_a_row_are_one() -> None:
    third = replace(NEXT, chunk_ids=("c4",), position=5, last_position=5, text="Never on a stove.")
    (joined,) = select(FIRST, NEXT, third)
    assert joined.text.endswith("slowly.\nNever on a stove.")


def test_same_position_of_another_document_is_not_joined() -> None:
    assert len(select(FIRST, replace(OTHER, position=4, last_position=4))) == 2


def test_near_duplicate_is_dropped() -> None:
    copy = replace(OTHER, text="Brush the boots after every walk in the rain!")
    assert select(FIRST, copy) == [FIRST]


def test_short_passage_within_a_long_one_is_not_its_duplicate() -> None:
    long = replace(OTHER, text=" ".join(f"word{n}" for n in range(50)))
    short = replace(FIRST, text="word1 word2 word3")
    assert select(long, short) == [long, short]


def test_passage_that_does_not_fit_is_passed_over() -> None:
    large = replace(OTHER, tokens=95)
    small = replace(OTHER, document_id="f", text="Dogs are welcome.", tokens=5)
    assert select(FIRST, large, small) == [FIRST, small]


def test_number_of_passages_is_kept() -> None:
    assert select(FIRST, OTHER, passages=1) == [FIRST]


def test_join_texts_without_overlap() -> None:
    assert join_texts("One.", "Two.") == "One.\nTwo."
