"""Knowledge bases with generated words and vectors, for timing.

Words follow Zipf's law and have endings, and each three chunks share a name that no other has.
Vectors are of length 1 and lie around centres, in a few dozen of all directions, as those of texts
do. Chunks are put together from pools in PostgreSQL, which takes a fraction of the time that
sending them would.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from django.db import connection, transaction
from django.utils import timezone

from apps.chatbots.models import EmbeddingModel
from apps.core.search_words import build_tsvector
from apps.knowledge.models import Document, Generation, KnowledgeBase, Source, SourceType
from bench.retrieval.bases import analyze
from local.servers.embedding_model import DIMENSIONS

WORDS = 60_000
WORDS_PER_HALF = 75
POOL = 4_000
CENTRES = 1_000
CENTRE_DIRECTIONS, NOISE_DIRECTIONS = 64, 32
COMMON_WORDS = 40
_SYLLABLES = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
_ENDINGS = ("", "s", "ed", "ing", "er")


@dataclass(frozen=True, slots=True)
class Group:
    """Bases of the same size, each in a workspace of its own."""

    bases: int
    chunks: int

    def __str__(self) -> str:
        what = "base" if self.bases == 1 else "bases"
        return f"{self.bases:,} {what} of {self.chunks:,}"


def groups(chunks: int) -> list[Group]:
    """A base of so many chunks, and others beside it."""
    others = [Group(1, 10_000), Group(100, 1_000), Group(10_000, 10)]
    return [Group(1, chunks), *(other for other in others if other.chunks < chunks)]


def word(rank: int) -> str:
    """The word of a rank, from 0. Frequent ones are short."""
    stem, ending = divmod(rank, len(_ENDINGS))
    letters = _SYLLABLES[stem % 70] + ("" if rank < COMMON_WORDS else _SYLLABLES[stem // 70 % 70])
    if stem >= 70 * 70 // 10:
        letters += _SYLLABLES[stem // 4900 % 70] + _SYLLABLES[stem * 31 % 70]
    return letters + _ENDINGS[ending]


_CREATE_POOLS = """
CREATE TEMPORARY TABLE pool_words (n int PRIMARY KEY, words tsvector);
CREATE TEMPORARY TABLE pool_noise (n int PRIMARY KEY, vector halfvec);
CREATE TEMPORARY TABLE pool_centre (n int PRIMARY KEY, vector halfvec);
"""
_INSERT_CHUNKS = """
INSERT INTO knowledge_chunk (id, workspace_id, knowledge_base_id, generation_id, document_id,
  position, heading_path, text, tokens, digest, is_enabled, is_edited, words)
SELECT 'cc' || %(group)s || lpad((base.n * %(chunks)s + at)::text, 12, '0'), base.workspace_id,
  base.base_id, base.generation_id, base.document_id, at, '{}', 'Passage ' || at, 300,
  encode(sha256((base.base_id || at)::bytea), 'hex'), true, false,
  one.words || other.words || array_to_tsvector(ARRAY['name' || base.n * %(chunks)s + at / 3])
FROM unnest(%(bases)s::int[], %(workspace_ids)s::text[], %(base_ids)s::text[],
    %(generation_ids)s::text[], %(document_ids)s::text[])
  AS base (n, workspace_id, base_id, generation_id, document_id)
CROSS JOIN generate_series(0, %(chunks)s - 1) AS at
JOIN pool_words AS one ON one.n = abs(hashint8(at + base.n * 7919)) %% %(pool)s
JOIN pool_words AS other ON other.n = abs(hashint8(at * 31 + base.n + 1)) %% %(pool)s
"""
_INSERT_VECTORS = """
INSERT INTO knowledge_chunkvector
  (workspace_id, knowledge_base_id, generation_id, chunk_id, embedding_model_id, embedding)
SELECT workspace_id, knowledge_base_id, generation_id, chunk.id, %(model)s,
  l2_normalize(centre.vector + one.vector + other.vector)
FROM knowledge_chunk AS chunk
JOIN pool_centre AS centre ON centre.n = abs(hashtext(chunk.id || 'c')) %% %(centres)s
JOIN pool_noise AS one ON one.n = abs(hashtext(chunk.id || 'n')) %% %(pool)s
JOIN pool_noise AS other ON other.n = abs(hashtext(chunk.id || 'm')) %% %(pool)s
WHERE chunk.generation_id = ANY(%(generation_ids)s)
"""


class Corpus:
    """Fills the tables. Foreign keys are not checked. Call it in a transaction."""

    def __init__(self, model: EmbeddingModel, seed: int = 1) -> None:
        self._model = model
        self._random = random.Random(seed)
        ranks = range(WORDS)
        self._zipf = list(accumulate(1 / (rank + 2.7) for rank in ranks))
        self._ranks = ranks

    def create_pools(self) -> None:
        """Create what chunks are put together from."""
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(_CREATE_POOLS)
            directions = self._directions(NOISE_DIRECTIONS)
            noise = [(n, self._vector(directions, 0.55)) for n in range(POOL)]
            directions = self._directions(CENTRE_DIRECTIONS)
            centres = [(n, self._vector(directions, 1.0)) for n in range(CENTRES)]
            cursor.executemany("INSERT INTO pool_noise VALUES (%s, %s::halfvec)", noise)
            cursor.executemany("INSERT INTO pool_centre VALUES (%s, %s::halfvec)", centres)
            halves = [
                (n, build_tsvector(" ".join(map(word, self.ranks(WORDS_PER_HALF)))))
                for n in range(POOL)
            ]
            cursor.executemany("INSERT INTO pool_words VALUES (%s, %s::tsvector)", halves)

    def ranks(self, count: int) -> list[int]:
        """Ranks of words, by Zipf's law."""
        return self._random.choices(self._ranks, cum_weights=self._zipf, k=count)

    def add(self, group: Group, number: int) -> None:
        """Add the bases of a group."""
        ids = [{kind: f"c{kind}{number}{n:016}" for kind in "wbsgd"} for n in range(group.bases)]
        KnowledgeBase.objects.bulk_create(
            KnowledgeBase(
                id=each["b"], workspace_id=each["w"], name="scale", embedding_model=self._model
            )
            for each in ids
        )
        Source.objects.bulk_create(
            Source(
                id=each["s"],
                workspace_id=each["w"],
                knowledge_base_id=each["b"],
                type=SourceType.TEXT,
                title="scale",
                due_at=None,
                status="ready",
                chunks=group.chunks,
                live_generation_id=each["g"],
            )
            for each in ids
        )
        Generation.objects.bulk_create(
            Generation(
                id=each["g"],
                workspace_id=each["w"],
                source_id=each["s"],
                finished_at=timezone.now(),
            )
            for each in ids
        )
        Document.objects.bulk_create(
            Document(
                id=each["d"],
                workspace_id=each["w"],
                generation_id=each["g"],
                position=0,
                status="ready",
            )
            for each in ids
        )
        values = {
            "group": number,
            "chunks": group.chunks,
            "pool": POOL,
            "centres": CENTRES,
            "model": self._model.id,
            "bases": list(range(group.bases)),
            "workspace_ids": [each["w"] for each in ids],
            "base_ids": [each["b"] for each in ids],
            "generation_ids": [each["g"] for each in ids],
            "document_ids": [each["d"] for each in ids],
        }
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_CHUNKS, values)
            cursor.execute(_INSERT_VECTORS, values)

    def _directions(self, count: int) -> list[list[float]]:
        return [[self._random.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(count)]

    def _vector(self, directions: Sequence[Sequence[float]], length: float) -> str:
        weights = [self._random.gauss(0, 1) for _ in directions]
        numbers = [sum(map(mul, weights, column)) for column in zip(*directions, strict=True)]
        norm = math.hypot(*numbers)
        return "[" + ",".join(f"{length * number / norm:.5f}" for number in numbers) + "]"


def fill(model: EmbeddingModel, wanted: Sequence[Group]) -> None:
    """Add the bases of these groups."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'knowledge_chunk_words'")
        (words_index,) = cursor.fetchone()
    with transaction.atomic(), connection.cursor() as cursor:
        # Built afterwards, because adding to it takes several times as long.
        cursor.execute("DROP INDEX knowledge_chunk_words")
        corpus = Corpus(model)
        corpus.create_pools()
        for number, group in enumerate(wanted):
            corpus.add(group, number)
        cursor.execute("SET LOCAL maintenance_work_mem = '1GB'")
        cursor.execute(words_index)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) knowledge_chunk")
    analyze()
