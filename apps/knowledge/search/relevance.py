"""Judge whether what was found probably answers the question.

A search always finds the least unlike passages, also for "thank you". There is no threshold on the
distance of vectors, whose values differ from model to model. What counts instead:

coverage    the share of the question's words, weighted by their rarity, that a passage has
agreement   whether words and vectors have the same passage first
lead, gap   how far the nearest vector is ahead of the other neighbours, and of the next one, in
            standard deviations of theirs

How much is needed depends on how many of the question's words the base has at all. If it has few,
the question may be in another language, and vectors decide. In a base of a few chunks, they have
nothing to compare; there such a question gets the benefit of the doubt, unless it is very short.
The figures were chosen with `make bench ARGS="retrieval PATH"`: questions with an answer come first
(2 % may be missed), and a question whose answer is not there is then recognised now and then, one
about something else mostly.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from apps.core.search_words import extract_words, is_unspaced
from apps.knowledge.search.statement import Candidate
from apps.knowledge.search.terms import Term, count_content_words

_JUDGED = 3
"""The best candidates of which one has to answer."""
_MIN_CHUNKS = 50
"""In a smaller base, rarity is judged as if it had so many chunks."""
_FORM_SHARE = 0.8
"""How far another form of a word counts as the word."""
_LENGTH_WEIGHTS = (0.0, 0.1, 0.2, 0.5, 0.8)
"""Words of fewer than five letters are often empty ones."""
_MIN_NEIGHBOURS = 5
"""Fewer have no spread to speak of."""

_AGREEMENT, _LEAD, _GAP = 0.13, 0.14, 0.08
_NEEDED = 0.43
_KNOWN_SHARE = 0.45
_NEEDED_IF_UNKNOWN = 0.17
_NEEDED_OF_FEW = 0.3
_KNOWN_SHARE_OF_FEW = 0.3
_SHORT = 2.0
_COVERAGE_OF_SHORT = 0.4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an answer. `known`: the share of the question's words that the base has."""

    coverage: float
    known: float
    agreement: bool
    lead: float
    gap: float
    has_few_chunks: bool
    is_short: bool

    @property
    def is_enough(self) -> bool:
        """Whether the question is probably answered."""
        if self.is_short and self.coverage < _COVERAGE_OF_SHORT:
            return False
        weight = (
            self.coverage
            + _AGREEMENT * self.agreement
            + _LEAD * math.log1p(self.lead)
            + _GAP * math.log1p(self.gap)
        )
        if self.has_few_chunks:
            return self.known < _KNOWN_SHARE_OF_FEW or weight >= _NEEDED_OF_FEW
        return weight >= (_NEEDED if self.known >= _KNOWN_SHARE else _NEEDED_IF_UNKNOWN)


def probably_answers(terms: Sequence[Term], candidates: Sequence[Candidate]) -> bool:
    """Whether one of the first candidates probably answers the question with these terms."""
    return bool(candidates) and weigh(terms, candidates).is_enough


def weigh(terms: Sequence[Term], candidates: Sequence[Candidate]) -> Evidence:
    """The evidence of candidates, of which there is one."""
    lead, gap = _lead_and_gap(candidates)
    return Evidence(
        coverage=_coverage(terms, candidates),
        known=_known_share(terms, candidates[0]),
        agreement=any((each.vector_rank, each.word_rank) == (1, 1) for each in candidates),
        lead=lead,
        gap=gap,
        has_few_chunks=candidates[0].chunks_in_all < _MIN_NEIGHBOURS,
        is_short=count_content_words({term.word for term in terms}) < _SHORT,
    )


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
    matches = dict.fromkeys((term.word for term in terms), 0.0)
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


def _known_share(terms: Sequence[Term], candidate: Candidate) -> float:
    known = {term.word: False for term in terms}
    for term, count in zip(terms, candidate.matches or (), strict=False):
        if count > 0 and (is_unspaced(term.word) or not term.is_prefix):
            known[term.word] = True
    return sum(known.values()) / len(known) if known else 0.0


def _lead_and_gap(candidates: Sequence[Candidate]) -> tuple[float, float]:
    """Of the neighbours by the model of the best candidate: those of others do not compare."""
    model_id = candidates[0].embedding_model_id
    distances = sorted(
        each.distance
        for each in candidates
        if each.distance is not None and each.embedding_model_id == model_id
    )
    if len(distances) < _MIN_NEIGHBOURS:
        return 0.0, 0.0
    nearest, *others = distances
    spread = statistics.pstdev(others)
    if not spread:
        return 0.0, 0.0
    return (statistics.fmean(others) - nearest) / spread, (others[0] - nearest) / spread
