from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from apps.llm import services
from tests.llm.fake_provider import FakeProvider, serve


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FakeProvider]:
    """A fake provider; our connections to it are closed at the end."""
    async with serve() as server:
        yield server
        await services.close_clients()


@pytest.fixture
def listed_keys(server: FakeProvider, settings: object) -> None:
    """Let the keys of tests be sent to the fake provider."""
    names = ("TEST_MODEL_KEY", "TEST_MODEL_KEY_UNSET")
    settings.MODEL_API_KEYS = dict.fromkeys(names, (server.base_url,))  # type: ignore[attr-defined]
