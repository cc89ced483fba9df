"""What PostgreSQL says of some keys, told to whoever holds them whenever it changes.

Sockets stay open while rows change: keys are revoked, members removed, messages written. One
query every so often asks after all that is held in this process; while nobody holds anything,
nothing is asked, and whoever writes the rows knows nothing of it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.postgres.threads import in_thread

log = get_logger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_NEVER_TOLD = object()


class Poller(Generic[K, V]):
    """`fetch(keys)` answers with a value for each key that has one; the others have None."""

    def __init__(
        self, fetch: Callable[[Collection[K]], Mapping[K, V]], *, interval_seconds: float
    ) -> None:
        self._look = fetch
        self._every = interval_seconds
        self._holders: dict[K, dict[Callable[[V | None], None], object]] = {}
        self._watching: asyncio.Task[None] | None = None

    def subscribe(self, key: K, callback: Callable[[V | None], None]) -> None:
        """From now until `unsubscribe`, call `callback` with the key's value: within `interval_seconds` seconds for
        the first time, then when it has changed."""
        self._holders.setdefault(key, {})[callback] = _NEVER_TOLD
        if self._watching is None or self._watching.done():
            # A fresh context: the watch outlives the socket that began it.
            loop = asyncio.get_running_loop()
            self._watching = loop.create_task(self._watch(), context=contextvars.Context())

    def unsubscribe(self, key: K, callback: Callable[[V | None], None]) -> None:
        """Stop telling this holder."""
        holders = self._holders.get(key, {})
        holders.pop(callback, None)
        if not holders:
            self._holders.pop(key, None)

    async def _watch(self) -> None:
        while self._holders:
            await asyncio.sleep(self._every)
            try:
                values = await in_thread(self._look, list(self._holders))
            except DATABASE_UNAVAILABLE as error:
                # What is opened by these rows needs the database too: nothing is given away.
                log.warning("not_watched", reason=type(error).__name__)
                continue
            except Exception:
                log.exception("watch_broke")
                continue
            for key in list(self._holders):
                self._tell(key, values.get(key))

    def _tell(self, key: K, value: V | None) -> None:
        holders = self._holders.get(key, {})
        for tell, told in list(holders.items()):
            if value != told and tell in holders:
                holders[tell] = value
                tell(value)
