"""An event loop whose clock jumps: waiting for seconds takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class _NoFiles(selectors.SelectSelector):
    """Knows nothing but time: instead of waiting for a time-out, it moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("Everybody waits, and nothing will ever happen.")
        self.now += max(timeout, 0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs timers in their order, as fast as it can. It has no sockets and no threads."""

    def __init__(self) -> None:
        self._clock = _NoFiles()
        super().__init__(self._clock)
        self.failures: list[Mapping[str, Any]] = []
        """What tasks that nobody awaits ended with."""
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        return self._clock.now

    def run_for(self, seconds: float) -> None:
        """Run everything that is due within so many seconds."""
        self.run_until_complete(asyncio.sleep(seconds))

    def call(self, function: Callable[[], T]) -> T:
        """Call a function that needs a running loop."""

        async def run() -> T:
            return function()

        return self.run_until_complete(run())

    def call_outside(self, function: Callable[[], T]) -> T:
        """Call a function as if no loop were running: the ORM has another connection in one."""
        asyncio._set_running_loop(None)
        try:
            return function()
        finally:
            asyncio._set_running_loop(self)

    def end(self) -> None:
        """Cancel all tasks and close the loop."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.close()
