"""The word side of the search statement.

Words are scored as by BM25, without a table of frequencies: how many of the chunks that were found
have a term is counted on the way. How often a chunk has one is told by the weights of its tsvector
(`build_tsvector`), which `ts_rank` of a single term adds up.

All chunks of a base of up to MAX_READ_CHUNKS are read. In a larger one, words are looked up in the
index: whole ones, because what begins with some letters is collected from all workspaces first.
Words that many chunks have would find too many, so a random sample tells how frequent each is, and
what is looked up is the rarest words, and pairs of less rare ones, that together are expected to
find at most MAX_EXPECTED. What they find, and the nearest by vectors, is scored by all terms.
Chunks are sampled by their digest, which is as good as random and indexed.
"""

from collections.abc import Sequence
from typing import Any

from apps.core.search_words import is_unspaced
from apps.knowledge.search.terms import Term

MAX_READ_CHUNKS = 1_000
MAX_EXPECTED = 600
MAX_MATCHES = 1_000
"""Chunks that are scored at most, if more are found than expected."""
_MAX_FINDERS = 8
_SAMPLED_CHUNKS = 300
_UNSEEN = 0.2
"""Sampled chunks that a word counts as having that none of them has."""
_SAMPLED_SOURCES = 300
"""The largest ones."""
_CO_OCCURRENCE = 3.0
"""Words of a question are together in a chunk more often than by chance: by this factor, say."""
_LENGTH_NORMALISATION = 0.75
_SATURATION = 1.2
_TS_RANK_WEIGHTS = "{0.1, 0.2, 0.35, 0.6}"
"""Of D, C, B and A, at most 1."""
_TS_RANK_OF_ONE = 0.1 / (3.141592653589793**2 / 6)
"""`ts_rank` of a term that is there once."""

# `words || ''` is the tsvector itself: otherwise it would be decompressed again for each term. It
# also keeps the planner from looking up every word where chunks are read. A parameter that is cast
# stands in a SELECT of its own: otherwise it would be parsed again for each row.
BY_WORDS = """
size AS MATERIALIZED (
  SELECT chunks, chunks <= %(max_read)s AS is_small,
    lpad(to_hex(least(%(sampled)s / greatest(chunks, 1) * 2 ^ 32, 2 ^ 32 - 1)::bigint), 8, '0')
      AS sampled_below
  FROM (SELECT coalesce(sum(chunks), 0)::float8 AS chunks FROM live) AS total
), sampled AS MATERIALIZED (
  SELECT chunk.words || ''::tsvector AS words
  FROM (
    SELECT generation_id FROM live WHERE NOT (SELECT is_small FROM size)
    ORDER BY chunks DESC LIMIT %(sampled_sources)s
  ) AS large
  JOIN knowledge_chunk AS chunk ON chunk.generation_id = large.generation_id
    AND chunk.digest < (SELECT sampled_below FROM size)
  LIMIT 2 * %(sampled)s
), term AS MATERIALIZED (
  SELECT term.query, weight, number::int, is_finder,
    (SELECT count(*) FROM sampled WHERE sampled.words @@ term.query)
      / greatest((SELECT count(*) FROM sampled), 1)::float8 AS share
  FROM (
    SELECT query::tsquery, weight, number, is_finder
    FROM unnest(%(terms)s::text[], %(weights)s::float8[], %(finders)s::bool[])
      WITH ORDINALITY AS term (query, weight, is_finder, number)
  ) AS term
), rare AS (
  SELECT number, query, greatest(share, %(unseen)s::float8 / %(sampled)s) AS share
  FROM term WHERE is_finder ORDER BY share, number LIMIT %(max_finders)s
), finder AS MATERIALIZED (
  SELECT string_agg('(' || query::text || ')', ' | ')::tsquery AS query FROM (
    SELECT query, sum(expected) OVER (ORDER BY expected, query::text) AS expected,
      row_number() OVER (ORDER BY expected, query::text) AS number
    FROM (
      SELECT query, share * size.chunks AS expected FROM rare CROSS JOIN size
      UNION ALL
      SELECT one.query && other.query, one.share * other.share * size.chunks * %(together)s
      FROM rare AS one JOIN rare AS other ON one.number < other.number CROSS JOIN size
    ) AS combination
  ) AS ordered
  WHERE (number = 1 OR expected <= %(max_expected)s) AND NOT (SELECT is_small FROM size)
), matching AS MATERIALIZED (
  SELECT id, words, length(words) AS length FROM (
    SELECT chunk.id, chunk.words || ''::tsvector AS words
    FROM live JOIN knowledge_chunk AS chunk ON chunk.generation_id = live.generation_id
    WHERE (SELECT is_small FROM size) AND chunk.is_enabled
    OFFSET 0
  ) AS chunk
  WHERE words @@ (SELECT %(any_term)s::tsquery)
  UNION ALL
  (SELECT id, words, length(words) FROM (
    SELECT chunk.id, chunk.words || ''::tsvector AS words
    FROM knowledge_chunk AS chunk
    WHERE NOT (SELECT is_small FROM size) AND chunk.is_enabled
      AND chunk.knowledge_base_id = ANY(%(bases)s)
      AND chunk.words @@ (SELECT query FROM finder)
      AND (chunk.generation_id IN (SELECT generation_id FROM live)) IS TRUE
    LIMIT %(max_matches)s
  ) AS chunk)
  UNION
  SELECT chunk.id, chunk.words, length(chunk.words) FROM near
  CROSS JOIN LATERAL (
    SELECT id, words || ''::tsvector AS words FROM knowledge_chunk WHERE id = near.id AND is_enabled
    OFFSET 0
  ) AS chunk
  WHERE NOT (SELECT is_small FROM size)
), hit AS MATERIALIZED (
  SELECT id, number, weight, occurrences
    / (occurrences + %(k1)s * (1 - %(b)s + %(b)s * length / average_length)) AS frequency
  FROM (
    SELECT matching.id, term.number, term.weight, matching.length, average.length AS average_length,
      ts_rank((SELECT %(rank_weights)s::float4[]), matching.words, term.query) / %(rank_of_one)s
        AS occurrences
    FROM matching CROSS JOIN (SELECT avg(length) AS length FROM matching) AS average
    JOIN term ON matching.words @@ term.query
  ) AS counted
), rarity AS MATERIALIZED (
  SELECT number, counted.weight AS term_weight, matches,
    ln(1 + greatest(size.chunks - matches, 0.5) / (matches + 0.5)) AS weight
  FROM (
    SELECT number, weight,
      greatest(coalesce(found.hits, 0), share * (SELECT chunks FROM size)) AS matches
    FROM term LEFT JOIN (SELECT number, count(*) AS hits FROM hit GROUP BY number) AS found
      USING (number)
  ) AS counted CROSS JOIN size
), by_words AS (
  SELECT id, score, share, row_number() OVER (ORDER BY score DESC, id) AS rank FROM (
    SELECT hit.id, sum(hit.weight * rarity.weight * hit.frequency) AS score,
      sum(hit.weight * rarity.weight)
        / (SELECT sum(term_weight * weight) FROM rarity) AS share
    FROM hit JOIN rarity USING (number)
    GROUP BY hit.id ORDER BY score DESC, hit.id LIMIT %(candidates)s
  ) AS best
)"""


def build_values(terms: Sequence[Term]) -> dict[str, Any]:
    """The parameters of BY_WORDS."""
    return {
        "terms": [term.query for term in terms],
        "weights": [term.weight for term in terms],
        "finders": [not term.is_prefix or is_unspaced(term.word) for term in terms],
        "any_term": " | ".join(term.query for term in terms),
        "max_read": MAX_READ_CHUNKS,
        "max_matches": MAX_MATCHES,
        "max_expected": MAX_EXPECTED,
        "max_finders": _MAX_FINDERS,
        "unseen": _UNSEEN,
        "sampled": _SAMPLED_CHUNKS,
        "sampled_sources": _SAMPLED_SOURCES,
        "together": _CO_OCCURRENCE,
        "b": _LENGTH_NORMALISATION,
        "k1": _SATURATION,
        "rank_weights": _TS_RANK_WEIGHTS,
        "rank_of_one": _TS_RANK_OF_ONE,
    }
