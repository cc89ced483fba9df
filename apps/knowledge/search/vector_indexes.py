"""HNSW indexes over the vectors of embedding models that have large bases.

Partial ones over an expression, because models have different dimensions. They are no part of a
migration: a model is added by staff. Searches use one as soon as it is valid, and read all vectors
of a base until then.
"""

from typing import Any

import psycopg
from django.db import OperationalError, connection

from apps.infrastructure.logging import get_logger
from apps.knowledge.search.vectors_sql import MAX_EXACT_CHUNKS, index_name

log = get_logger(__name__)

MAX_MEMORY_MB = 4096
"""While an index is built. A graph that needs more is finished on disk, which is much slower."""
_BYTES_PER_NEIGHBOURS = 1000
"""Of a vector, beside two for each of its numbers."""

_NEEDED = """
SELECT model.id, model.dimensions, sum(large.chunks)
FROM chatbots_embeddingmodel AS model JOIN (
  SELECT base.embedding_model_id, base.next_embedding_model_id, sum(source.chunks) AS chunks
  FROM knowledge_knowledgebase AS base
  JOIN knowledge_source AS source ON source.knowledge_base_id = base.id
  WHERE base.deleted_at IS NULL
  GROUP BY base.id HAVING sum(source.chunks) > %s
) AS large ON model.id IN (large.embedding_model_id, large.next_embedding_model_id)
GROUP BY model.id ORDER BY model.id
"""
_IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
_CREATE = """
CREATE INDEX CONCURRENTLY {name} ON knowledge_chunkvector
USING hnsw ((embedding::halfvec({dimensions})) halfvec_cosine_ops)
WITH (ef_construction = 128)
WHERE embedding_model_id = '{model}'
"""
_SETTINGS = ("statement_timeout", "maintenance_work_mem", "max_parallel_maintenance_workers")
_LOCK = 0x6B6E6F77
"""Of PostgreSQL's advisory locks: one process builds at a time."""


def create_missing_indexes() -> list[str]:
    """Build the indexes that large bases need. Return the names of those that were built.

    Takes minutes for a million vectors; others can write meanwhile. Must not be in a transaction.
    What a killed run has left is dropped and built again.
    """
    built = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return []
        try:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(_NEEDED, [MAX_EXACT_CHUNKS])
            for model_id, dimensions, chunks in cursor.fetchall():
                if _build(cursor, model_id, dimensions, chunks):
                    built.append(index_name(model_id))
        finally:
            for setting in _SETTINGS:
                cursor.execute(f"RESET {setting}")
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return built


def _build(cursor: Any, model_id: str, dimensions: int, chunks: int) -> bool:
    name = index_name(model_id)
    cursor.execute(_IS_VALID, [name])
    found = cursor.fetchone()
    if found is not None and found[0]:
        return False
    # Twice as much as the large bases need: others have vectors of the model, too.
    needed = 64 + 2 * chunks * (2 * dimensions + _BYTES_PER_NEIGHBOURS) // 2**20
    cursor.execute(f"SET maintenance_work_mem = '{min(needed, MAX_MEMORY_MB)}MB'")
    create = _CREATE.format(name=name, model=model_id, dimensions=dimensions)
    log.info("vector_index_started", index=name)
    cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    try:
        cursor.execute(create)
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.DiskFull):
            raise
        # Shared memory, of which a container has little, is used by several processes only.
        cursor.execute("SET max_parallel_maintenance_workers = 0")
        cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        cursor.execute(create)
    log.info("vector_index_built", index=name)
    return True
