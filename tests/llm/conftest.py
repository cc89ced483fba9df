from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from apps.llm import services
from tests.llm.fake_provider import FakeProvider, serve


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FakeProvider]:
    """A fake provider; our connections to it are closed at the end."""
    async with serve() as server:
        yield server
        await services.close_clients()
