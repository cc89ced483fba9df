from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.chatbots.models import EmbeddingModel
from apps.core.ids import new_id
from tests.llm.embeddings.fake_server import (
    DIMENSIONS,
    FakeEmbeddingServer,
    serve_embeddings,
)


@pytest.fixture
def server() -> Iterator[FakeEmbeddingServer]:
    with serve_embeddings() as server:
        yield server


@pytest.fixture
def model(server: FakeEmbeddingServer) -> EmbeddingModel:
    """A model at the fake server, which is not saved."""
    return EmbeddingModel(
        id=new_id(),
        provider="openai-wire",
        provider_model=server.model,
        api_base=server.base_url,
        dimensions=DIMENSIONS,
        max_input_tokens=100,
        query_prefix="query: ",
        passage_prefix="passage: ",
        batch_size=4,
    )
