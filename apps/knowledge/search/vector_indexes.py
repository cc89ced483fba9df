"""HNSW indexes over the vectors of embedding models that have large bases.

Partial ones over an expression, because models have different dimensions. They are no part of a
migration: a model is added by staff. Searches use one as soon as it is valid, and read all vectors
of a base until then.
"""

from typing import Any

from django.db import connection

from apps.infrastructure.logging import get_logger
from apps.knowledge.search.vectors_sql import MAX_EXACT_CHUNKS, index_name

log = get_logger(__name__)

MAINTENANCE_MEMORY = "1GB"
"""At most, while an index is built. If the graph is larger, building takes much longer."""

_NEEDED = """
SELECT model.id, model.dimensions
FROM chatbots_embeddingmodel AS model JOIN (
  SELECT base.embedding_model_id, base.next_embedding_model_id
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
WHERE embedding_model_id = '{model}'
"""
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
            cursor.execute(f"SET maintenance_work_mem = '{MAINTENANCE_MEMORY}'")
            cursor.execute(_NEEDED, [MAX_EXACT_CHUNKS])
            for model_id, dimensions in cursor.fetchall():
                if _build(cursor, model_id, dimensions):
                    built.append(index_name(model_id))
        finally:
            cursor.execute("RESET statement_timeout")
            cursor.execute("RESET maintenance_work_mem")
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return built


def _build(cursor: Any, model_id: str, dimensions: int) -> bool:
    name = index_name(model_id)
    cursor.execute(_IS_VALID, [name])
    found = cursor.fetchone()
    if found is not None and found[0]:
        return False
    cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    log.info("vector_index_started", index=name)
    cursor.execute(_CREATE.format(name=name, model=model_id, dimensions=int(dimensions)))
    log.info("vector_index_built", index=name)
    return True
