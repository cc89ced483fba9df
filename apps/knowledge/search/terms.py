"""The search terms of a question.

Each word is searched as it is and, at less weight, by its first letters, so that other forms of it
are found: the language is unknown, so there is no stemming. In scripts without spaces between words
each two neighbouring letters are a term.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from apps.core.search_words import MAX_WORD_LENGTH, is_unspaced, split_words

MAX_TERMS = 64
"""More of a long question are not searched."""
_MIN_STEM_LENGTH = 4
_MAX_ENDING_LENGTH = 3
_STEM_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class Term:
    """A tsquery of one word or prefix, and its weight."""

    query: str
    weight: float = 1.0


def search_terms(question: str) -> list[Term]:
    """The terms of a question, without repeats, at most MAX_TERMS."""
    terms: dict[str, Term] = {}
    for word in split_words(question):
        for term in _terms_of(word):
            terms.setdefault(term.query, term)
        if len(terms) >= MAX_TERMS:
            break
    return list(terms.values())[:MAX_TERMS]


def _terms_of(word: str) -> Iterator[Term]:
    if is_unspaced(word):
        yield from (Term(f"'{word[at : at + 2]}':*") for at in range(max(1, len(word) - 1)))
        return
    yield Term(f"'{word[:MAX_WORD_LENGTH]}'")
    if len(word) >= _MIN_STEM_LENGTH:
        stem = word[: max(_MIN_STEM_LENGTH, min(len(word) - _MAX_ENDING_LENGTH, MAX_WORD_LENGTH))]
        yield Term(f"'{stem}':*", _STEM_WEIGHT)
