"""Embedding models for tests."""

from __future__ import annotations

from typing import Any

from apps.chatbots.models import EmbeddingModel
from apps.chatbots.services import create_embedding_model
from apps.core.ids import new_id


def make_embedding_model(litellm_model: str = "sandbox/embed", **fields: Any) -> EmbeddingModel:
    """A new embedding model of the catalogue."""
    return create_embedding_model(
        name=f"embedding-{new_id()}", litellm_model=litellm_model, **fields
    )
