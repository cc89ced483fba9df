"""A turn's events as they come: one writes, any number follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from apps.chat.events import Ended, Failed, TurnEvent


class TurnLog:
    """Events numbered from 1 in the order they came; the last is `Ended` or `Failed`."""

    def __init__(self, events: Sequence[TurnEvent] = ()) -> None:
        self.events: list[TurnEvent] = []
        self._bells: set[asyncio.Event] = set()
        self._over = asyncio.Event()
        for event in events:
            self.append(event)

    @property
    def is_over(self) -> bool:
        """Whether the last event has come."""
        return self._over.is_set()

    def append(self, event: TurnEvent) -> None:
        """Add the next event and wake whoever waits for it."""
        self.events.append(event)
        for bell in self._bells:
            bell.set()
        if isinstance(event, Ended | Failed):
            self._over.set()

    async def outcome(self) -> Ended | Failed:
        """The last event, when it has come."""
        await self._over.wait()
        return next(event for event in reversed(self.events) if isinstance(event, Ended | Failed))

    async def second(self, *, within: float) -> TurnEvent | None:
        """The event after `Started`, or None if it takes longer than `within` seconds.

        A turn that failed before it could be told has one event, which is this one then.
        """
        follower = self.follow(after=1, idle=within)
        try:
            events = await anext(follower, self.events[-1:])
        finally:
            await follower.aclose()
        return events[0] if events else None

    async def follow(
        self, *, after: int = 0, idle: float | None = None
    ) -> AsyncGenerator[Sequence[TurnEvent], None]:
        """Yield the events after number `after`, those that came together at once, to the end.

        Yields an empty sequence whenever `idle` seconds have passed without one.
        """
        bell = asyncio.Event()
        self._bells.add(bell)
        try:
            while True:
                bell.clear()
                if fresh := self.events[after:]:
                    after += len(fresh)
                    yield fresh
                elif self.is_over:
                    return
                elif not await _rung(bell, idle):
                    yield ()
        finally:
            self._bells.discard(bell)


async def _rung(bell: asyncio.Event, idle: float | None) -> bool:
    try:
        async with asyncio.timeout(idle):
            return await bell.wait()
    except TimeoutError:
        return False
