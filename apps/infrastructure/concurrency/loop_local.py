"""What each event loop has one of: a pool, a queue, a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

Kept = TypeVar("Kept")


class PerLoop(Generic[Kept]):
    """Makes one for each event loop that asks, and forgets it with its loop."""

    def __init__(self, make: Callable[[], Kept]) -> None:
        self._make = make
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Kept] = WeakKeyDictionary()

    def get(self) -> Kept:
        """The running loop's own."""
        loop = asyncio.get_running_loop()
        found = self._of_loops.get(loop)
        if found is None:
            found = self._of_loops[loop] = self._make()
        return found

    def pop(self) -> Kept | None:
        """The running loop's own, if it has one; it has none afterwards."""
        return self._of_loops.pop(asyncio.get_running_loop(), None)
