"""An event loop in a thread of its own, for callers that are in threads without one.

Connections, limits and remembered questions outlive a call there; with a loop for each call, they
would end with it.
"""

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _ThreadLoop:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def get(self) -> asyncio.AbstractEventLoop:
        """Return the running loop of this process."""
        with self._lock:
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                run = self._loop.run_forever
                threading.Thread(target=run, name="embedding", daemon=True).start()
            return self._loop


_thread_loop = _ThreadLoop()


def run_in_thread_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in the process's loop for threads, and wait for its result."""
    return asyncio.run_coroutine_threadsafe(coroutine, _thread_loop.get()).result()
