"""Sockets stay open, keys may not: one query a second asks after the keys of all open sockets."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable

from apps.api_keys.queries import ended_keys
from apps.core.drf import DATABASE_AWAY
from apps.core.logging import get_logger
from apps.core.threads import in_thread

log = get_logger(__name__)

EVERY_SECONDS = 1.0

Tell = Callable[[], None]


class KeyWatch:
    """Calls those who hold a key when it has ended. Asks nothing while nobody holds one."""

    def __init__(self) -> None:
        self._holders: dict[str, set[Tell]] = {}
        self._watching: asyncio.Task[None] | None = None

    def hold(self, api_key_id: str, tell: Tell) -> None:
        """From now until `release`, call `tell` once the key is revoked, expired or deleted."""
        self._holders.setdefault(api_key_id, set()).add(tell)
        if self._watching is None or self._watching.done():
            # A fresh context: the watch outlives the socket that began it.
            loop = asyncio.get_running_loop()
            self._watching = loop.create_task(self._watch(), context=contextvars.Context())

    def release(self, api_key_id: str, tell: Tell) -> None:
        """Stop watching for this holder."""
        holders = self._holders.get(api_key_id, set())
        holders.discard(tell)
        if not holders:
            self._holders.pop(api_key_id, None)

    async def _watch(self) -> None:
        while self._holders:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                ended = await in_thread(ended_keys, list(self._holders))
            except DATABASE_AWAY as error:
                # What a key opens needs the database too, so nothing is given away meanwhile.
                log.warning("keys_not_watched", reason=type(error).__name__)
                continue
            for api_key_id in ended:
                for tell in list(self._holders.get(api_key_id, ())):
                    tell()


key_watch = KeyWatch()
