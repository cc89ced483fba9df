"""The search statement: nearest vectors and best words, fused by rank.

Only chunks of live generations are found, and only in the given bases of the given workspace. A
base is searched by the vectors of its embedding model at this moment. If the question was embedded
by another one, its vector finds nothing there.

The statement decides by the number of chunks how it searches (`words_sql`, `vectors_sql`): what is
not taken is planned and not executed. Both lists are cut to CANDIDATES and fused by reciprocal
rank, with k = RRF_K. Words count by the share of the question that a chunk has: little where they
have hardly anything in common, as between two languages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.knowledge.search import vectors_sql, words_sql
from apps.knowledge.search.terms import Term

CANDIDATES = 40
RRF_K = 5
WORDS_WEIGHT = 2.0
"""Of a chunk with all words of the question, beside the weight of vectors, 1."""

_SEARCH = """
WITH base AS MATERIALIZED (
  SELECT base.id, base.embedding_model_id FROM knowledge_knowledgebase AS base
  WHERE base.workspace_id = %(workspace)s AND base.id = ANY(%(bases)s) AND base.deleted_at IS NULL
), live AS MATERIALIZED (
  SELECT source.live_generation_id AS generation_id, source.id AS source_id, source.chunks,
    base.embedding_model_id
  FROM base JOIN knowledge_source AS source ON source.knowledge_base_id = base.id
  WHERE source.live_generation_id IS NOT NULL
), {vectors}, {words}, fused AS (
  SELECT id, near.rank AS vector_rank, by_words.rank AS word_rank, near.distance,
    by_words.share,
    coalesce(1.0 / (%(k)s + near.rank), 0)
      + coalesce(%(words_weight)s * by_words.share / (%(k)s + by_words.rank), 0) AS score
  FROM near FULL JOIN by_words USING (id)
)
SELECT chunk.id, live.source_id, chunk.document_id, chunk.position, chunk.heading_path, chunk.text,
  chunk.page, chunk.tokens, chunk.digest, document.title, document.url, fused.score,
  fused.vector_rank, fused.word_rank, fused.distance, fused.share, live.embedding_model_id,
  (SELECT chunks FROM size) AS chunks_in_all,
  (SELECT array_agg(rarity.matches ORDER BY rarity.number) FROM rarity) AS matches
FROM fused
-- Chunks are looked up by their ids: a prepared plan would rather read all of the generations.
CROSS JOIN LATERAL (SELECT * FROM knowledge_chunk WHERE id = fused.id OFFSET 0) AS chunk
JOIN live ON live.generation_id = chunk.generation_id
JOIN knowledge_document AS document ON document.id = chunk.document_id
WHERE chunk.is_enabled
ORDER BY fused.score DESC, fused.vector_rank, chunk.id
LIMIT %(candidates)s
"""


class Candidate(NamedTuple):
    """A row of the result, the best first.

    `vector_rank`, `word_rank`: from 1, None where that side did not find it. `word_share`: of the
    question's terms, by weight and rarity. The last two are the same in all rows: how many chunks
    were searched, and about how many of them have each term.
    """

    id: str
    source_id: str
    document_id: str
    position: int
    heading_path: list[str]
    text: str
    page: int | None
    tokens: int
    digest: str
    title: str
    url: str
    score: float
    vector_rank: int | None
    word_rank: int | None
    distance: float | None
    word_share: float | None
    embedding_model_id: str
    chunks_in_all: float
    matches: list[float] | None


@dataclass(frozen=True, slots=True)
class QuestionVector:
    """A question's vector by an embedding model."""

    embedding_model_id: str
    vector: Sequence[float]


def build_search(
    *,
    workspace_id: str,
    knowledge_base_ids: Sequence[str],
    vectors: Sequence[QuestionVector],
    terms: Sequence[Term],
) -> tuple[str, Mapping[str, Any]]:
    """The SQL and its parameters."""
    values: dict[str, Any] = {
        "workspace": workspace_id,
        "bases": list(knowledge_base_ids),
        "candidates": CANDIDATES,
        "k": RRF_K,
        "words_weight": WORDS_WEIGHT,
    }
    nearest = vectors_sql.build_nearest(
        {each.embedding_model_id: each.vector for each in vectors}, values
    )
    values |= words_sql.build_values(terms)
    return _SEARCH.format(words=words_sql.BY_WORDS, vectors=nearest), values
