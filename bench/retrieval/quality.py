"""How often the right passage is found, by words, by vectors and by both."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from apps.chatbots.models import EmbeddingModel
from apps.infrastructure.postgres.pool import close_pool
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.search.connections import execute
from apps.knowledge.search.statement import Candidate, QuestionVector, build_search
from apps.knowledge.search.terms import Term, search_terms
from apps.workspaces.models import Workspace
from bench.retrieval.bases import analyze, make_base
from bench.retrieval.questions import QuestionSet
from bench.retrieval.vectors import Vector, VectorCache

SIDES = ("words", "vectors", "both")


@dataclass(frozen=True, slots=True)
class Quality:
    """R@1, R@5 and the mean reciprocal rank, which is 0 for a passage that is not found."""

    first: float
    among_five: float
    reciprocal: float

    @classmethod
    def of(cls, ranks: Sequence[int | None]) -> "Quality":
        """From the ranks of the right passages."""
        found = [rank for rank in ranks if rank is not None]
        return cls(
            sum(rank == 1 for rank in found) / len(ranks),
            sum(rank <= 5 for rank in found) / len(ranks),
            sum(1 / rank for rank in found) / len(ranks),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was searched: its terms and what was found."""

    terms: list[Term]
    candidates: list[Candidate]


class Searcher:
    """Searches with given vectors, over the connections of turns."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def find(self, base: KnowledgeBase, question: str, vector: Vector) -> Asked:
        """Search as a turn does."""
        terms = search_terms(question)
        sql, values = build_search(
            workspace_id=base.workspace_id,
            knowledge_base_ids=[base.id],
            vectors=[QuestionVector(base.embedding_model_id, vector)],
            terms=terms,
        )
        rows = self._runner.run(execute(base.workspace_id, sql, values))
        return Asked(terms, [Candidate(*row) for row in rows])

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(close_pool())


@contextmanager
def run_searcher() -> Iterator[Searcher]:
    """A searcher with an event loop of its own."""
    with asyncio.Runner() as runner:
        searcher = Searcher(runner)
        try:
            yield searcher
        finally:
            searcher.close()


def store_set(
    workspace: Workspace, model: EmbeddingModel, questions: QuestionSet, cache: VectorCache
) -> tuple[KnowledgeBase, list[str]]:
    """A base with all passages of a set, and the ids of their chunks."""
    made = make_base(workspace, model, questions.passages, cache.passages(questions.passages))
    analyze()
    return made


def measure_quality(
    searcher: Searcher,
    base: KnowledgeBase,
    chunk_ids: Sequence[str],
    questions: QuestionSet,
    cache: VectorCache,
) -> dict[str, Quality]:
    """Ask every question of a set. Returns the quality of each of SIDES."""
    ranks: dict[str, list[int | None]] = {side: [] for side in SIDES}
    vectors = cache.questions([question.text for question in questions.questions])
    for question, vector in zip(questions.questions, vectors, strict=True):
        asked = searcher.find(base, question.text, vector)
        right = chunk_ids[question.passage]
        for side, rank in zip(SIDES, _ranks(asked.candidates, right), strict=True):
            ranks[side].append(rank)
    return {side: Quality.of(found) for side, found in ranks.items()}


def _ranks(
    candidates: Iterable[Candidate], right: str
) -> tuple[int | None, int | None, int | None]:
    for rank, candidate in enumerate(candidates, 1):
        if candidate.id == right:
            return candidate.word_rank, candidate.vector_rank, rank
    return None, None, None
