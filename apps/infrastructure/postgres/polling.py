"""Poll the database and notify subscribers when a value changes.

Open sockets must react when rows change: a key is revoked, a member removed, a message written.
Each process runs one query per interval for all subscribed keys, and none while there are no
subscribers. The code that writes the rows does not need to publish anything.
"""

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.postgres.threads import in_thread

log = get_logger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_NEVER_NOTIFIED = object()


class Poller(Generic[K, V]):
    """Polls `fetch(keys)`, which returns the values that exist; a missing key counts as None."""

    def __init__(
        self, fetch: Callable[[Collection[K]], Mapping[K, V]], *, interval_seconds: float
    ) -> None:
        self._fetch = fetch
        self._interval_seconds = interval_seconds
        self._subscribers: dict[K, dict[Callable[[V | None], None], object]] = {}
        self._polling: asyncio.Task[None] | None = None

    def subscribe(self, key: K, callback: Callable[[V | None], None]) -> None:
        """Call `callback` with the current value within one interval, then on every change.

        `callback` runs in the event loop and must not block. Call `unsubscribe` to stop.
        """
        self._subscribers.setdefault(key, {})[callback] = _NEVER_NOTIFIED
        if self._polling is None or self._polling.done():
            self._polling = start_background_task(self._poll())

    def unsubscribe(self, key: K, callback: Callable[[V | None], None]) -> None:
        """Stop calling `callback`. Does nothing if it is not subscribed."""
        subscribers = self._subscribers.get(key, {})
        subscribers.pop(callback, None)
        if not subscribers:
            self._subscribers.pop(key, None)

    async def _poll(self) -> None:
        while self._subscribers:
            await asyncio.sleep(self._interval_seconds)
            try:
                values = await in_thread(self._fetch, list(self._subscribers))
            except DATABASE_UNAVAILABLE as error:
                # Whatever these rows permit needs the database too, so nothing is exposed.
                log.warning("poll_skipped", reason=type(error).__name__)
                continue
            except Exception:
                log.exception("poll_failed")
                continue
            for key in list(self._subscribers):
                self._notify(key, values.get(key))

    def _notify(self, key: K, value: V | None) -> None:
        subscribers = self._subscribers.get(key, {})
        for callback, last_value in list(subscribers.items()):
            if value != last_value and callback in subscribers:
                subscribers[callback] = value
                callback(value)
