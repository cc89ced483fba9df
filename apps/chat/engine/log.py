"""The log of a turn: its events, in order, for any number of followers."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import islice

from apps.chat.engine.events import TurnEnded, TurnEvent, TurnFailed
from apps.infrastructure.concurrency.deadline_timer import DeadlineTimer

WAKE_BATCH_SIZE = 20
"""The first so many followers are woken by every event. Waking one costs about 0.1 ms, so hundreds
would hold up the turn and all else in the process: the others are woken in rounds."""
WAKE_PAUSE_SECONDS = 0.01
"""The pause between two batches of a round."""


class _Waiter(DeadlineTimer):
    """Wakes one follower: when it is notified, or after `idle_seconds` without that."""

    __slots__ = ("_idle_seconds", "_wakeup")

    def __init__(self, idle_seconds: float | None) -> None:
        super().__init__()
        self._idle_seconds = idle_seconds
        self._wakeup: asyncio.Future[bool] | None = None

    def notify(self) -> None:
        """Wake the follower, if it waits."""
        self._wake(True)

    async def wait(self) -> bool:
        """Wait to be notified; False after `idle_seconds`."""
        if self._idle_seconds is not None:
            self.reschedule(self._loop.time() + self._idle_seconds)
        self._wakeup = self._loop.create_future()
        try:
            return await self._wakeup
        finally:
            self._wakeup = None

    def on_deadline(self) -> None:
        self._wake(False)

    def _wake(self, is_notified: bool) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(is_notified)


class TurnLog:
    """Events numbered from 1 in order; the last is `TurnEnded` or `TurnFailed`."""

    def __init__(self, events: Sequence[TurnEvent] = ()) -> None:
        self.events: list[TurnEvent] = []
        self._waiters: dict[_Waiter, None] = {}
        self._round: deque[_Waiter] = deque()
        self._round_started_at = 0
        self._over = asyncio.Event()
        for event in events:
            self.append(event)

    @property
    def is_over(self) -> bool:
        """Whether the last event is there."""
        return self._over.is_set()

    def append(self, event: TurnEvent) -> None:
        """Add the next event and wake the followers."""
        self.events.append(event)
        for waiter in islice(self._waiters, WAKE_BATCH_SIZE):
            waiter.notify()
        if not self._round:
            self._start_round(islice(self._waiters, WAKE_BATCH_SIZE, None))
        if isinstance(event, TurnEnded | TurnFailed):
            self._over.set()

    def _start_round(self, waiters: Iterable[_Waiter]) -> None:
        self._round_started_at = len(self.events)
        self._round.extend(waiters)
        self._schedule_batch()

    def _schedule_batch(self) -> None:
        if self._round:
            asyncio.get_running_loop().call_later(WAKE_PAUSE_SECONDS, self._wake_batch)

    def _wake_batch(self) -> None:
        """Wake the next batch. If events came during the round, another round wakes all: the
        first followers may have left, and others be first now."""
        for _ in range(min(WAKE_BATCH_SIZE, len(self._round))):
            self._round.popleft().notify()
        if self._round:
            self._schedule_batch()
        elif len(self.events) > self._round_started_at:
            self._start_round(self._waiters)

    async def outcome(self) -> TurnEnded | TurnFailed:
        """Wait for the last event and return it."""
        await self._over.wait()
        return next(e for e in reversed(self.events) if isinstance(e, TurnEnded | TurnFailed))

    async def first_event(self, *, timeout: float) -> TurnEvent | None:
        """The event after `TurnStarted`; None if it takes longer than `timeout` seconds.

        The log of a turn that failed before it started has one event, which is returned then.
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
        """Yield the events after number `after` to the end; those that came together, at once.

        Yields an empty sequence whenever `idle_seconds` have passed without an event.
        """
        waiter = _Waiter(idle_seconds)
        self._waiters[waiter] = None
        try:
            while True:
                if new := self.events[after:]:
                    after += len(new)
                    yield new
                elif self.is_over:
                    return
                elif not await waiter.wait():
                    yield ()
        finally:
            del self._waiters[waiter]
            waiter.cancel()
