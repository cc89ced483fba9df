"""Event-loop singletons: objects, such as pools and clients, of which each event loop has one."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Creates an object for each event loop on first use, and drops it with its loop."""

    def __init__(self, create: Callable[[], T]) -> None:
        self._create = create
        self._objects: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """Return the running loop's object."""
        loop = asyncio.get_running_loop()
        found = self._objects.get(loop)
        if found is None:
            found = self._objects[loop] = self._create()
        return found

    def pop(self) -> T | None:
        """Remove and return the running loop's object, if it has one."""
        return self._objects.pop(asyncio.get_running_loop(), None)
