"""Turn passages and questions into vectors with an embedding model of the catalogue."""

from apps.knowledge.embedding.passages import EmbeddedPassages, embed_passages
from apps.knowledge.embedding.query import EmbeddedQuery, embed_query, embed_query_in_thread

__all__ = [
    "EmbeddedPassages",
    "EmbeddedQuery",
    "embed_passages",
    "embed_query",
    "embed_query_in_thread",
]
