"""The search statement: nearest vectors and best words, fused by rank.

Only chunks of live generations are found, and only in the given bases of the given workspace. A
base is searched by the vectors of its embedding model at this moment. If the question was embedded
by another one, its vector finds nothing there.

Words are scored as by BM25, without a table of frequencies: how many of the chunks that were found
have a term is counted on the way, and `ts_rank` of one term grows with its occurrences as BM25's
saturation does. Both lists are cut to CANDIDATES and fused by reciprocal rank, with k = RRF_K.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from apps.knowledge.search.terms import Term

CANDIDATES = 40
RRF_K = 60
MAX_MATCHES = 20_000
"""Chunks with any of the words that are scored at most."""
_LENGTH_NORMALISATION = 0.75

_SEARCH = """
WITH base AS MATERIALIZED (
  SELECT base.id, base.embedding_model_id FROM knowledge_knowledgebase AS base
  WHERE base.workspace_id = %(workspace)s AND base.id = ANY(%(bases)s) AND base.deleted_at IS NULL
), live AS MATERIALIZED (
  SELECT source.live_generation_id AS generation_id, source.id AS source_id, source.chunks,
    base.embedding_model_id
  FROM base JOIN knowledge_source AS source ON source.knowledge_base_id = base.id
  WHERE source.live_generation_id IS NOT NULL
), near AS (
  {nearest}
), matching AS MATERIALIZED (
  SELECT chunk.id, chunk.words, length(chunk.words) AS length
  FROM knowledge_chunk AS chunk JOIN live ON live.generation_id = chunk.generation_id
  WHERE chunk.knowledge_base_id = ANY(%(bases)s) AND chunk.words @@ %(any_term)s::tsquery
    AND chunk.is_enabled
  LIMIT %(max_matches)s
), term AS MATERIALIZED (
  SELECT query::tsquery, weight, number
  FROM unnest(%(terms)s::text[], %(weights)s::float8[]) WITH ORDINALITY
    AS term (query, weight, number)
), hit AS MATERIALIZED (
  SELECT matching.id, term.query, term.weight, ts_rank(matching.words, term.query)
    / (1 - %(b)s + %(b)s * matching.length / avg(matching.length) OVER ()) AS frequency
  FROM matching JOIN term ON matching.words @@ term.query
), rarity AS MATERIALIZED (
  SELECT query, count(*) AS matches,
    ln(1 + greatest(total.chunks - count(*), 0.5) / (count(*) + 0.5)) AS weight
  FROM hit CROSS JOIN (SELECT sum(chunks) AS chunks FROM live) AS total
  GROUP BY query, total.chunks
), by_words AS (
  SELECT id, row_number() OVER (ORDER BY score DESC, id) AS rank FROM (
    SELECT hit.id, sum(hit.weight * rarity.weight * hit.frequency) AS score
    FROM hit JOIN rarity USING (query)
    GROUP BY hit.id ORDER BY score DESC, hit.id LIMIT %(candidates)s
  ) AS best
), fused AS (
  SELECT id, near.rank AS vector_rank, by_words.rank AS word_rank, near.distance,
    coalesce(1.0 / (%(k)s + near.rank), 0) + coalesce(1.0 / (%(k)s + by_words.rank), 0) AS score
  FROM near FULL JOIN by_words USING (id)
)
SELECT chunk.id, live.source_id, chunk.document_id, chunk.position, chunk.heading_path, chunk.text,
  chunk.page, chunk.tokens, chunk.digest, document.title, document.url, fused.score,
  fused.vector_rank, fused.word_rank, fused.distance,
  (SELECT sum(chunks)::bigint FROM live) AS chunks_in_all,
  (SELECT array_agg(coalesce(rarity.matches, 0) ORDER BY term.number)
    FROM term LEFT JOIN rarity USING (query)) AS matches
FROM fused
JOIN knowledge_chunk AS chunk USING (id)
JOIN live ON live.generation_id = chunk.generation_id
JOIN knowledge_document AS document ON document.id = chunk.document_id
WHERE chunk.is_enabled
ORDER BY fused.score DESC, fused.vector_rank, chunk.id
LIMIT %(candidates)s
"""
# One list of neighbours for each embedding model: distances of different models do not compare.
_NEAREST = """
  SELECT chunk_id AS id, distance, row_number() OVER (ORDER BY distance, chunk_id) AS rank FROM (
    SELECT vector.chunk_id, vector.embedding <=> {vector}::halfvec AS distance
    FROM knowledge_chunkvector AS vector
    JOIN live ON live.generation_id = vector.generation_id
      AND live.embedding_model_id = vector.embedding_model_id
    WHERE vector.knowledge_base_id = ANY(%(bases)s) AND vector.embedding_model_id = {model}
    ORDER BY distance, vector.chunk_id LIMIT %(candidates)s
  ) AS nearest
"""
_NO_NEIGHBOURS = "SELECT ''::text AS id, 0::float8 AS distance, 0::bigint AS rank WHERE false"


class Candidate(NamedTuple):
    """A row of the result, the best first.

    `vector_rank`, `word_rank`: from 1, None where that side did not find it. The last two are the
    same in all rows: how many chunks were searched, and how many of them have each term.
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
    chunks_in_all: int
    matches: list[int] | None


def build_search(
    *,
    workspace_id: str,
    knowledge_base_ids: Sequence[str],
    vectors: Mapping[str, Sequence[float]],
    terms: Sequence[Term],
) -> tuple[str, dict[str, Any]]:
    """The SQL and its parameters. `vectors`: the question's, by the id of the embedding model."""
    values: dict[str, Any] = {
        "workspace": workspace_id,
        "bases": list(knowledge_base_ids),
        "terms": [term.query for term in terms],
        "weights": [term.weight for term in terms],
        "any_term": " | ".join(term.query for term in terms) or "",
        "max_matches": MAX_MATCHES,
        "candidates": CANDIDATES,
        "k": RRF_K,
        "b": _LENGTH_NORMALISATION,
    }
    parts = []
    for number, (model_id, vector) in enumerate(sorted(vectors.items())):
        values[f"model{number}"] = model_id
        values[f"vector{number}"] = _halfvec(vector)
        parts.append(_NEAREST.format(vector=f"%(vector{number})s", model=f"%(model{number})s"))
    return _SEARCH.format(nearest=" UNION ALL ".join(parts) or _NO_NEIGHBOURS), values


def _halfvec(vector: Sequence[float]) -> str:
    return "[" + ",".join(f"{value:.6g}" for value in vector) + "]"
