"""The vector side of the search statement.

A base of up to MAX_EXACT_CHUNKS is searched by reading all its vectors. For a larger one the HNSW
index of its embedding model is asked, if there is one: it yields neighbours among all workspaces,
nearest first, until enough of them are of the base. So a base that has few of the index's vectors
is read as well, up to where both take about the same time.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_EXACT_CHUNKS = 10_000
_NEIGHBOUR_COST = 800
"""CANDIDATES, times what a neighbour of the index costs compared to a vector that is read."""
_ID = re.compile(r"[a-z0-9]+")

# One list of neighbours for each embedding model: distances of different models do not compare.
# The id of the model is part of the text, for only then a prepared plan can use an index for it.
# `IS TRUE` keeps the planner from joining before it orders, and from other indexes.
_NEAREST = """
use_index{n} AS MATERIALIZED (
  SELECT EXISTS (
    SELECT FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
    CROSS JOIN (
      SELECT sum(chunks)::float8 AS chunks FROM live WHERE embedding_model_id = '{model}'
    ) AS own
    WHERE pg_index.indexrelid = to_regclass('{index}') AND pg_index.indisvalid
      AND own.chunks > %(max_exact)s AND own.chunks ^ 2 > %(cost)s * pg_class.reltuples
  ) AS is_true
), near{n} AS (
  SELECT chunk_id AS id, distance, row_number() OVER (ORDER BY distance, chunk_id) AS rank FROM (
    (SELECT vector.chunk_id, vector.embedding <=> %(vector{n})s::halfvec AS distance
    FROM knowledge_chunkvector AS vector
    WHERE NOT (SELECT is_true FROM use_index{n})
      AND vector.knowledge_base_id = ANY(%(bases)s) AND vector.embedding_model_id = '{model}'
      AND (vector.generation_id IN (
        SELECT generation_id FROM live WHERE embedding_model_id = '{model}')) IS TRUE
    ORDER BY distance, vector.chunk_id LIMIT %(candidates)s)
    UNION ALL
    (SELECT vector.chunk_id,
      vector.embedding::halfvec({dimensions}) <=> %(vector{n})s::halfvec({dimensions}) AS distance
    FROM knowledge_chunkvector AS vector
    WHERE (SELECT is_true FROM use_index{n}) AND vector.embedding_model_id = '{model}'
      AND (vector.generation_id IN (
        SELECT generation_id FROM live WHERE embedding_model_id = '{model}')) IS TRUE
    ORDER BY distance LIMIT %(candidates)s)
  ) AS nearest
)"""


def index_name(embedding_model_id: str) -> str:
    """The name of the HNSW index over the vectors of a model."""
    return f"knowledge_vector_hnsw_{embedding_model_id}"


def build_nearest(vectors: Mapping[str, Sequence[float]], values: dict[str, Any]) -> str:
    """The SQL of the expression `near`; adds its parameters. `vectors`: by id of their model."""
    values["max_exact"], values["cost"] = MAX_EXACT_CHUNKS, _NEIGHBOUR_COST
    parts = []
    for number, (model_id, vector) in enumerate(sorted(vectors.items())):
        if not _ID.fullmatch(model_id):
            raise ValueError("This is no id of an embedding model.")
        values[f"vector{number}"] = "[" + ",".join(f"{value:.6g}" for value in vector) + "]"
        parts.append(
            _NEAREST.format(
                n=number, model=model_id, index=index_name(model_id), dimensions=len(vector)
            )
        )
    lists = " UNION ALL ".join(f"TABLE near{number}" for number in range(len(parts)))
    return ", ".join((*parts, f"near AS ({lists})"))
