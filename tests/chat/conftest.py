"""Fixtures of the chat tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from tests.llm.fake_provider import FakeProvider, serve


@pytest.fixture
def upstream() -> Iterator[FakeProvider]:
    """A fake model server in its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = serve()
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
        exit_server = server.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(exit_server, loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
