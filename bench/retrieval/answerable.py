"""How often a search says rightly whether it found an answer.

Each question is asked with its paragraph in the base, and again without it; the others of the same
article are still there. What is no question about the passages at all is asked, too.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from apps.knowledge.models import Chunk, ChunkVector, Generation, KnowledgeBase, Source
from apps.knowledge.search.relevance import probably_answers
from bench.retrieval.quality import Searcher
from bench.retrieval.questions import OTHER_QUESTIONS, Question, QuestionSet
from bench.retrieval.vectors import Vector, VectorCache

SAMPLE = 300


@dataclass(frozen=True, slots=True)
class Answerable:
    """Shares of questions that were said to have no answer: with it there, without, and others."""

    missed: float
    refused: float
    others_refused: float


def measure_answerable(
    searcher: Searcher,
    base: KnowledgeBase,
    chunk_ids: Sequence[str],
    questions: QuestionSet,
    cache: VectorCache,
) -> Answerable:
    """Ask up to SAMPLE questions of a set twice, and OTHER_QUESTIONS."""
    sample: list[Question] = list(questions.questions)
    if len(sample) > SAMPLE:
        sample = random.Random(1).sample(sample, SAMPLE)

    def refuses(text: str, vector: Vector) -> bool:
        asked = searcher.find(base, text, vector)
        return not probably_answers(asked.terms, asked.candidates)

    hidden = Generation.objects.create(
        workspace_id=base.workspace_id,
        source=Source.objects.get(knowledge_base=base),
        finished_at=timezone.now(),
    )
    missed = refused = 0
    vectors = cache.questions([question.text for question in sample])
    for question, vector in zip(sample, vectors, strict=True):
        missed += refuses(question.text, vector)
        shown = _move(chunk_ids[question.passage], hidden.id)
        refused += refuses(question.text, vector)
        _move(chunk_ids[question.passage], shown)
    others = zip(OTHER_QUESTIONS, cache.questions(OTHER_QUESTIONS), strict=True)
    others_refused = sum(refuses(text, vector) for text, vector in others)
    return Answerable(
        missed / len(sample), refused / len(sample), others_refused / len(OTHER_QUESTIONS)
    )


def _move(chunk_id: str, generation_id: str) -> str:
    """Move a chunk to another generation; return the one it was in."""
    chunks = Chunk.objects.filter(id=chunk_id)
    was = chunks.values_list("generation_id", flat=True)[0]
    chunks.update(generation_id=generation_id)
    ChunkVector.objects.filter(chunk_id=chunk_id).update(generation_id=generation_id)
    return was
