"""Schemas of embedding models and knowledge bases."""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from pydantic import Field

from apps.api_kit.schemas import Id, RequestSchema, ResponseSchema
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.schemas.fields import BaseName


class CreateKnowledgeBaseSchema(RequestSchema):
    """A knowledge base to create. `embeddingModelId`: by default the catalogue's default."""

    name: BaseName
    embedding_model_id: Id | None = None


class UpdateKnowledgeBaseSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged; null is not accepted.

    With another embedding model all chunks are embedded again in the background; searches use the
    old vectors until all new ones are there.
    """

    name: BaseName = Field(default_factory=str)
    embedding_model_id: Id = Field(default_factory=str)


class EmbeddingModelSchema(ResponseSchema):
    """An embedding model that a knowledge base can use, and its price."""

    id: str
    name: str
    description: str
    dimensions: int
    credits_per_1k_tokens: int = Field(alias="creditsPer1kTokens")
    is_default: bool


class EmbeddingModelListSchema(ResponseSchema):
    embedding_models: list[EmbeddingModelSchema]


class KnowledgeBaseSchema(ResponseSchema):
    """A knowledge base. `nextEmbeddingModel` is not null while the model is being changed.

    `embeddingError` says why that does not go on: ask for the same model to try again.
    """

    id: str
    name: str
    embedding_model: str
    next_embedding_model: str | None
    embedding_error: str | None
    sources: int
    chunks: int
    created_at: datetime

    @classmethod
    def from_base(cls, base: KnowledgeBase) -> Self:
        """Return the schema of a base with its counts (`queries.with_counts`)."""
        following = base.next_embedding_model
        counts: Mapping[str, int] = vars(base)
        return cls.from_row(
            base,
            embedding_model=base.embedding_model.name,
            next_embedding_model=following.name if following else None,
            embedding_error=base.embedding_error or None,
            sources=counts["source_count"],
            chunks=counts["chunk_count"],
        )


class KnowledgeBaseListSchema(ResponseSchema):
    knowledge_bases: list[KnowledgeBaseSchema]
    next_cursor: str | None


class ReindexedSchema(ResponseSchema):
    """The knowledge base, and how many of its sources are indexed again."""

    id: str
    sources: int
