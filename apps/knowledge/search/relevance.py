"""Judge whether what was found probably answers the question.

A search always finds the least unlike passages, also for "thank you". There is no threshold on the
distance of vectors, whose values differ from model to model. What counts instead:

coverage    the share of the question's words, weighted by their rarity, that a passage has
agreement   whether words and vectors have the same passage first
margin      how far the nearest vector is ahead of the other neighbours, in their own spread
"""

import math
import statistics
from collections.abc import Iterable, Sequence

from apps.core.search_words import extract_words, is_unspaced
from apps.knowledge.search.statement import Candidate
from apps.knowledge.search.terms import Term

_JUDGED = 3
"""The best candidates of which one has to answer."""
_MIN_CHUNKS = 50
"""In a smaller base, rarity is judged as if it had so many chunks."""
_FORM_SHARE = 0.8
"""How far another form of a word counts as the word."""
_LENGTH_WEIGHTS = (0.0, 0.1, 0.2, 0.5, 0.8)
"""Words of fewer than five letters are often empty ones."""
_MIN_NEIGHBOURS = 4
"""Fewer neighbours have no spread to speak of."""


def probably_answers(terms: Sequence[Term], candidates: Sequence[Candidate]) -> bool:
    """Whether one of the first candidates probably answers the question with these terms."""
    if not candidates:
        return False
    return (
        _coverage(terms, candidates) + 0.15 * _agreement(candidates) + 0.1 * _margin(candidates)
    ) >= 0.55


def _coverage(terms: Sequence[Term], candidates: Sequence[Candidate]) -> float:
    """From 0 to 1, of the candidate that has most."""
    weights = _word_weights(terms, candidates[0])
    total = sum(weights.values())
    if total == 0:
        return 0.0
    stems = {term.word: term.text for term in terms if term.is_prefix}
    best = 0.0
    for candidate in candidates[:_JUDGED]:
        texts = (candidate.title, *candidate.heading_path, candidate.text)
        words = extract_words("\n".join(texts))
        covered = sum(
            weight * _presence(word, stems.get(word), words) for word, weight in weights.items()
        )
        best = max(best, covered / total)
    return best


def _word_weights(terms: Sequence[Term], candidate: Candidate) -> dict[str, float]:
    """The weight of each word of the question: its rarity, by its most frequent term."""
    matches = dict.fromkeys((term.word for term in terms), 0)
    weights = {term.word: 0.0 for term in terms}
    for term, count in zip(terms, candidate.matches or (), strict=False):
        matches[term.word] = max(matches[term.word], count)
        weights[term.word] = max(weights[term.word], term.weight)
    chunks = max(candidate.chunks_in_all, _MIN_CHUNKS)
    return {
        word: weights[word]
        * _length_weight(word)
        * math.log(1 + max(chunks - count, 0.5) / (count + 0.5))
        for word, count in matches.items()
    }


def _length_weight(word: str) -> float:
    if is_unspaced(word) or len(word) >= len(_LENGTH_WEIGHTS) or word.isdigit():
        return 1.0
    return _LENGTH_WEIGHTS[len(word)]


def _presence(word: str, stem: str | None, words: Iterable[str]) -> float:
    if word in words:
        return 1.0
    if stem is None or not any(other.startswith(stem) for other in words):
        return 0.0
    return 1.0 if is_unspaced(word) else _FORM_SHARE


def _agreement(candidates: Sequence[Candidate]) -> float:
    return float(any((each.vector_rank, each.word_rank) == (1, 1) for each in candidates))


def _margin(candidates: Sequence[Candidate]) -> float:
    """Standard deviations of the other neighbours between their mean and the nearest."""
    distances = sorted(each.distance for each in candidates if each.distance is not None)
    if len(distances) <= _MIN_NEIGHBOURS:
        return 0.0
    nearest, *others = distances
    spread = statistics.pstdev(others)
    return (statistics.fmean(others) - nearest) / spread if spread else 0.0
