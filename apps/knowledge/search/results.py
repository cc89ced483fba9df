"""Make passages of what was found: near-duplicates dropped, neighbours joined, cut to a budget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from apps.core.search_words import extract_words

MatchedBy = Literal["words", "vectors"]

_DUPLICATE_SHARE = 0.9
"""Words of the shorter of two passages that the other has, too, above which they are the same."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was found.

    `score` is made of reciprocal ranks, at most 0.5: it orders passages of one search and says
    nothing by itself. `chunk_ids` are its chunks, the best first: neighbours are joined.
    """

    chunk_ids: tuple[str, ...]
    source_id: str
    document_id: str
    position: int
    last_position: int
    title: str
    heading_path: tuple[str, ...]
    url: str
    page: int | None
    text: str
    tokens: int
    digest: str
    score: float
    matched_by: tuple[MatchedBy, ...]


def select_passages(
    found: Iterable[Passage], *, max_passages: int, max_tokens: int
) -> list[Passage]:
    """The best passages that fit the budget, best first.

    A passage that repeats a better one is dropped; one that follows or precedes a better one in its
    document is joined to it. One that does not fit is passed over: a shorter one may.
    """
    selected: list[Passage] = []
    words: list[set[str]] = []
    budget = max_tokens
    for passage in found:
        neighbour = _neighbour_of(passage, selected)
        is_superfluous = neighbour is None and len(selected) >= max_passages
        if is_superfluous or passage.tokens > budget:
            continue
        own_words = extract_words(passage.text)
        if any(_are_duplicates(own_words, others) for others in words):
            continue
        if neighbour is None:
            selected.append(passage)
            words.append(own_words)
        else:
            selected[neighbour] = _join(selected[neighbour], passage)
            words[neighbour] |= own_words
        budget -= passage.tokens
    return selected


def _are_duplicates(first: set[str], second: set[str]) -> bool:
    shorter = min(len(first), len(second))
    if shorter == 0:
        return first == second
    return len(first & second) / shorter >= _DUPLICATE_SHARE and shorter * 2 > max(
        len(first), len(second)
    )


def _neighbour_of(passage: Passage, selected: Sequence[Passage]) -> int | None:
    for index, other in enumerate(selected):
        is_adjacent = passage.position in (other.position - 1, other.last_position + 1)
        if other.document_id == passage.document_id and is_adjacent:
            return index
    return None


def _join(better: Passage, other: Passage) -> Passage:
    first, second = sorted((better, other), key=lambda passage: passage.position)
    return replace(
        better,
        chunk_ids=(*better.chunk_ids, *other.chunk_ids),
        position=first.position,
        last_position=second.last_position,
        heading_path=first.heading_path,
        page=first.page,
        text=join_texts(first.text, second.text),
        tokens=better.tokens + other.tokens,
        matched_by=tuple(sorted({*better.matched_by, *other.matched_by}, reverse=True)),
    )


def join_texts(first: str, second: str) -> str:
    """Two chunks that follow each other, with what both have at the seam once."""
    for length in range(min(len(first), len(second), 1000), 0, -1):
        if first.endswith(second[:length]):
            return first + second[length:]
    return f"{first}\n{second}"
