"""A turn's events as they come: one writes, any number follow."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import islice

from apps.chat.engine.events import TurnEnded, TurnEvent, TurnFailed

WAKE_BATCH_SIZE = 20
"""So many followers, the first to come, are woken by every event. Telling one costs about 0.1 ms,
so hundreds would hold up the turn and all else in the process: the others are woken by rounds."""
WAKE_PAUSE_SECONDS = 0.01
"""The pause between waking the others, AT_ONCE at a time."""


class TurnLog:
    """Events numbered from 1 in the order they came; the last is `Ended` or `Failed`."""

    def __init__(self, events: Sequence[TurnEvent] = ()) -> None:
        self.events: list[TurnEvent] = []
        self._bells: dict[_Bell, None] = {}
        self._next: deque[_Bell] = deque()
        self._round_saw = 0
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
        for bell in islice(self._bells, WAKE_BATCH_SIZE):
            bell.ring()
        if not self._next:
            self._begin_round(islice(self._bells, WAKE_BATCH_SIZE, None))
        if isinstance(event, TurnEnded | TurnFailed):
            self._over.set()

    def _begin_round(self, bells: Iterable[_Bell]) -> None:
        self._round_saw = len(self.events)
        self._next.extend(bells)
        self._ring_later()

    def _ring_later(self) -> None:
        if self._next:
            asyncio.get_running_loop().call_later(WAKE_PAUSE_SECONDS, self._ring_next)

    def _ring_next(self) -> None:
        """Wake the next few. Another round, of all, follows for what has come during this one:
        the first of then may have left, and others be the first now."""
        for _ in range(min(WAKE_BATCH_SIZE, len(self._next))):
            self._next.popleft().ring()
        if self._next:
            self._ring_later()
        elif len(self.events) > self._round_saw:
            self._begin_round(self._bells)

    async def outcome(self) -> TurnEnded | TurnFailed:
        """The last event, when it has come."""
        await self._over.wait()
        return next(
            event for event in reversed(self.events) if isinstance(event, TurnEnded | TurnFailed)
        )

    async def first_event(self, *, timeout: float) -> TurnEvent | None:
        """The event after `Started`, or None if it takes longer than `timeout` seconds.

        A turn that failed before it could be told has one event, which is this one then.
        """
        follower = self.follow(after=1, idle_seconds=timeout)
        try:
            events = await anext(follower, self.events[-1:])
        finally:
            await follower.aclose()
        return events[0] if events else None

    async def follow(
        self, *, after: int = 0, idle_seconds: float | None = None
    ) -> AsyncGenerator[Sequence[TurnEvent], None]:
        """Yield the events after number `after`, those that came together at once, to the end.

        Yields an empty sequence whenever `idle_seconds` seconds have passed without one.
        """
        bell = _Bell(idle_seconds)
        self._bells[bell] = None
        try:
            while True:
                if fresh := self.events[after:]:
                    after += len(fresh)
                    yield fresh
                elif self.is_over:
                    return
                elif not await bell.rung():
                    yield ()
        finally:
            del self._bells[bell]
            bell.close()


class _Bell:
    """Wakes one follower: when it is rung, or after `idle_seconds` seconds in which it was not.

    One timer for many waits: a timer for each token costs as much as all else that is done with
    it. The timer stays where it is while the waits go by, and looks again when it fires.
    """

    __slots__ = ("_idle", "_loop", "_since", "_timer", "_waiter")

    def __init__(self, idle: float | None) -> None:
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[bool] | None = None

    def ring(self) -> None:
        """Wake the follower, if it waits."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    async def rung(self) -> bool:
        """Wait; False if nothing came."""
        self._since = self._loop.time()
        if self._timer is None and self._idle is not None:
            self._timer = self._loop.call_later(self._idle, self._look)
        self._waiter = self._loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Take the timer back."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done() or self._idle is None:
            return
        left = self._since + self._idle - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self._waiter.set_result(False)
