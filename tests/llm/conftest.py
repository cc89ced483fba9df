from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from apps.llm import services
from tests.llm.fake_provider import Upstream, serve


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """A fake model server; our connections to it are closed at the end."""
    async with serve() as server:
        yield server
        await services.close_clients()
