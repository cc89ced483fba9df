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
MAX_READ_VECTORS = 200_000
"""More would take longer than a turn waits. Until there is an index, words alone find them."""
_NEIGHBOUR_COST = 800
"""CANDIDATES, times what a neighbour of the index costs compared to a vector that is read."""
_ID = re.compile(r"[a-z0-9]+")

# One list of neighbours for each embedding model: distances of different models do not compare.
# The id of the model is part of the text, for only then a prepared plan can use an index for it.
# `IS TRUE` keeps the planner from joining before it orders, and from other indexes. A parameter
# that is cast stands in a SELECT of its own: otherwise it would be parsed again for each row.
_NEAREST = """
method{n} AS MATERIALIZED (
  SELECT CASE
    WHEN own.chunks > %(max_exact)s AND EXISTS (
      SELECT FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
      WHERE pg_index.indexrelid = to_regclass('{index}') AND pg_index.indisvalid
        AND own.chunks ^ 2 > %(neighbour_cost)s * pg_class.reltuples
    ) THEN 'index'
    WHEN own.chunks <= %(max_read_vectors)s THEN 'read'
  END AS name
  FROM (SELECT sum(chunks)::float8 AS chunks FROM live WHERE embedding_model_id = '{model}') AS own
), near{n} AS (
  SELECT chunk_id AS id, distance, row_number() OVER (ORDER BY distance, chunk_id) AS rank FROM (
    (SELECT vector.chunk_id, vector.embedding <=> (SELECT %(vector{n})s::halfvec) AS distance
    FROM knowledge_chunkvector AS vector
    WHERE (SELECT name FROM method{n}) = 'read'
      AND vector.knowledge_base_id = ANY(%(bases)s) AND vector.embedding_model_id = '{model}'
      AND (vector.generation_id IN (
        SELECT generation_id FROM live WHERE embedding_model_id = '{model}')) IS TRUE
    ORDER BY distance, vector.chunk_id LIMIT %(candidates)s)
    UNION ALL
    (SELECT vector.chunk_id,
      vector.embedding::halfvec({dimensions}) <=> (SELECT %(vector{n})s::halfvec({dimensions}))
        AS distance
    FROM knowledge_chunkvector AS vector
    WHERE (SELECT name FROM method{n}) = 'index' AND vector.embedding_model_id = '{model}'
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
    values["max_exact"] = MAX_EXACT_CHUNKS
    values["max_read_vectors"] = MAX_READ_VECTORS
    values["neighbour_cost"] = _NEIGHBOUR_COST
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
    return ", ".join((*parts, f"near AS MATERIALIZED ({lists})"))
