"""The model of the screenshots, which answers by its system prompt."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

ANSWER = """Yes, until the parcel is handed over to the carrier [1]:

1. Open **Your orders** and choose the order.
2. Choose *Change address*, and save.

If it is on its way already, the carrier can [redirect it](https://example.com/redirect)."""
DRAFT_ANSWER = """1. Open **Your orders**.
2. Choose the order, then *Change address*.
3. Save before the parcel is handed over."""
"""The model's answer to the draft prompt."""
DRAFT_PROMPT = "Answer as a list of steps, without greeting."


@contextmanager
def run_model() -> Iterator[str]:
    """Serve a fake model that answers by its system prompt; yield its base URL."""
    from tests.llm.fake_provider import serve, streamed_answer

    ready: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue()

    async def run() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        async with serve() as upstream:
            upstream.stream_from(
                lambda body: streamed_answer(*_answer_for(body).splitlines(keepends=True))
            )
            ready.put((upstream.base_url, lambda: loop.call_soon_threadsafe(done.set)))
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    address, end = ready.get()
    try:
        yield address
    finally:
        end()
        thread.join()


def _answer_for(body: dict[str, Any]) -> str:
    return DRAFT_ANSWER if body["messages"][0]["content"] == DRAFT_PROMPT else ANSWER
