from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from apps.llm.services import close_clients
from tests.llm.embeddings.fake_server import FakeEmbeddingServer, serve_embeddings


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FakeEmbeddingServer]:
    """A fake server; our connections to it are closed at the end."""
    with serve_embeddings() as server:
        yield server
        await close_clients()
