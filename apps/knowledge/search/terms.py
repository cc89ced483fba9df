"""The search terms of a question.

Each word is searched as it is and, at less weight, by its first letters, so that other forms of it
are found: the language is unknown, so there is no stemming. In scripts without spaces between words
each two neighbouring letters are a term.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from apps.core.search_words import MAX_WORD_LENGTH, is_unspaced, split_words

MAX_TERMS = 64
"""More of a long question are not searched."""
CONTEXT_WEIGHT = 0.3
"""Weight of a term that is only in the message before a short question."""
_MIN_STEM_LENGTH = 4
_MAX_ENDING_LENGTH = 3
_STEM_WEIGHT = 0.5
_MIN_CONTENT_LENGTH = 4
_MIN_CONTENT_WORDS = 3


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a question, or the beginning of one, as it is searched.

    `word`: the word, or the two letters, that the term is for; `weight`: its part of the score.
    """

    word: str
    text: str
    is_prefix: bool
    weight: float = 1.0

    @property
    def query(self) -> str:
        """As a tsquery. A text has only letters and digits."""
        return f"'{self.text}':*" if self.is_prefix else f"'{self.text}'"


def search_terms(question: str, context: str = "") -> list[Term]:
    """The terms of a question, then those of its context at less weight, at most MAX_TERMS."""
    terms: dict[tuple[str, bool], Term] = {}
    for text, weight in ((question, 1.0), (context, CONTEXT_WEIGHT)):
        for word in split_words(text):
            for term in _terms_of(word):
                terms.setdefault(
                    (term.text, term.is_prefix), replace(term, weight=weight * term.weight)
                )
            if len(terms) >= MAX_TERMS:
                return list(terms.values())[:MAX_TERMS]
    return list(terms.values())


def needs_context(question: str) -> bool:
    """Whether a question says too little to be searched alone: "And how much is it?".

    Judged by the length of its words, for want of a list of empty words in every language.
    """
    return count_content_words(set(split_words(question))) < _MIN_CONTENT_WORDS


def count_content_words(words: Iterable[str]) -> float:
    """How many of these words say something, by their length."""
    return sum(
        len(word) / 2 if is_unspaced(word) else len(word) >= _MIN_CONTENT_LENGTH for word in words
    )


def _terms_of(word: str) -> Iterator[Term]:
    if is_unspaced(word):
        for at in range(max(1, len(word) - 1)):
            letters = word[at : at + 2]
            yield Term(letters, letters, is_prefix=True)
        return
    yield Term(word, word[:MAX_WORD_LENGTH], is_prefix=False)
    if len(word) >= _MIN_STEM_LENGTH:
        stem = word[: max(_MIN_STEM_LENGTH, min(len(word) - _MAX_ENDING_LENGTH, MAX_WORD_LENGTH))]
        yield Term(word, stem, is_prefix=True, weight=_STEM_WEIGHT)
