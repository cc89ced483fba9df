"""The log of a turn: its events, in order, for any number of followers.

The log keeps one rule for all of them: a follower's last event is the turn's own, which has a
number and is appended once the truth is stored, or an interruption, which has none.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from itertools import islice

from apps.chat.engine.events import (
    LastEvent,
    NumberedEvent,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
)
from apps.chat.engine.key_revocation import watch_key
from apps.core.errors import ApiError
from apps.infrastructure.concurrency.deadline_timer import DeadlineTimer

WAKE_BATCH_SIZE = 20
"""The first so many followers are woken by every event. Waking one costs about 0.1 ms, so hundreds
would hold up the turn and all else in the process: the others are woken in rounds."""
WAKE_PAUSE_SECONDS = 0.01
"""The pause between two batches of a round."""


class _Waiter(DeadlineTimer):
    """Wakes one follower: when it is notified, or after `idle_seconds` without that."""

    __slots__ = ("_idle_seconds", "_wakeup", "interruption")

    def __init__(self, idle_seconds: float | None) -> None:
        super().__init__()
        self.interruption: TurnInterrupted | None = None
        """Why this follower alone is told no more."""
        self._idle_seconds = idle_seconds
        self._wakeup: asyncio.Future[bool] | None = None

    def notify(self) -> None:
        """Wake the follower, if it waits."""
        self._wake(True)

    def interrupt(self, error: ApiError) -> None:
        """Tell this follower no more."""
        self.interruption = TurnInterrupted(error)
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
    """Events numbered from 1 in order; the last is `TurnEnded` or `TurnFailed`.

    `interruption`: what followers are told who have all events, as long as the last is not there.
    """

    def __init__(
        self,
        events: Sequence[NumberedEvent] = (),
        interruption: TurnInterrupted | None = None,
    ) -> None:
        self.events: list[NumberedEvent] = []
        self.interruption: TurnInterrupted | None = None
        self._waiters: dict[_Waiter, None] = {}
        self._outcomes: set[asyncio.Future[LastEvent]] = set()
        self._changes = 0
        self._round: deque[_Waiter] = deque()
        self._round_started_at = 0
        for event in events:
            self.append(event)
        self.interruption = None if self.is_settled else interruption

    @property
    def last_event(self) -> LastEvent | None:
        """What a follower who has all events is told last; None if there is more to come."""
        last = self.events[-1] if self.events else None
        return last if isinstance(last, TurnEnded | TurnFailed) else self.interruption

    @property
    def is_settled(self) -> bool:
        """Whether the turn's own last event is there."""
        return bool(self.events) and isinstance(self.events[-1], TurnEnded | TurnFailed)

    @property
    def is_over(self) -> bool:
        """Whether a follower who has all events waits for nothing more."""
        return self.last_event is not None

    def append(self, event: NumberedEvent) -> None:
        """Add the next event and wake the followers."""
        self.events.append(event)
        self.interruption = None
        if isinstance(event, TurnEnded | TurnFailed):
            self._set_outcome(event)
        self._notify()

    def interrupt(self, error: ApiError) -> None:
        """Tell all followers no more, now and until another event comes. The log of a turn whose
        last event is there stays as it is."""
        if not self.is_settled:
            self.interruption = TurnInterrupted(error)
            self._set_outcome(self.interruption)
            self._notify()

    def _notify(self) -> None:
        self._changes += 1
        for waiter in islice(self._waiters, WAKE_BATCH_SIZE):
            waiter.notify()
        if not self._round:
            self._start_round(islice(self._waiters, WAKE_BATCH_SIZE, None))

    def _start_round(self, waiters: Iterable[_Waiter]) -> None:
        self._round_started_at = self._changes
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
        elif self._changes > self._round_started_at:
            self._start_round(self._waiters)

    def _set_outcome(self, last: LastEvent) -> None:
        for outcome in self._outcomes:
            if not outcome.done():
                outcome.set_result(last)

    async def outcome(self, *, api_key_id: str | None = None) -> LastEvent:
        """Wait for the last event and return it. `api_key_id`: as in `follow`."""
        if last := self.last_event:
            return last
        outcome: asyncio.Future[LastEvent] = asyncio.get_running_loop().create_future()

        def interrupt(error: ApiError) -> None:
            if not outcome.done():
                outcome.set_result(TurnInterrupted(error))

        self._outcomes.add(outcome)
        try:
            with watch_key(api_key_id, interrupt):
                return await outcome
        finally:
            self._outcomes.discard(outcome)

    async def first_event(self, *, timeout: float) -> TurnEvent | None:
        """The first text or the end; None if it takes longer than `timeout` seconds.

        The log of a turn that failed before it started has one event, which is returned then.
        """
        async with aclosing(self.follow(after=1, idle_seconds=timeout)) as follower:
            async for events in follower:
                for event in events:
                    if not isinstance(event, SourcesFound):
                        return event
                if not events:
                    return None
        return self.events[-1] if self.events else None

    async def follow(
        self,
        *,
        after: int = 0,
        idle_seconds: float | None = None,
        api_key_id: str | None = None,
    ) -> AsyncGenerator[Sequence[TurnEvent], None]:
        """Yield the events after number `after` to the end; those that came together, at once.

        Yields an empty sequence whenever `idle_seconds` have passed without an event. An
        interruption is yielded alone, and is the last. Who names a number that the turn does not
        reach is told its last event. `api_key_id`: the follower's key, whose end interrupts it.
        """
        waiter = _Waiter(idle_seconds)
        self._waiters[waiter] = None
        try:
            with watch_key(api_key_id, waiter.interrupt):
                while True:
                    if waiter.interruption:
                        yield (waiter.interruption,)
                        return
                    if new := self.events[after:]:
                        after += len(new)
                        yield new
                    elif last := self.last_event:
                        if isinstance(last, TurnInterrupted) or after > len(self.events):
                            yield (last,)
                        return
                    elif not await waiter.wait():
                        yield ()
        finally:
            del self._waiters[waiter]
            waiter.cancel()

    def number_before(self, events: Sequence[TurnEvent], after: int) -> int:
        """The number before the first of these events, which `follow` has yielded after `after`.

        Another than `after` if they are the last event, told to who named a later number. An empty
        sequence does not say so: a copy may not have come that far yet.
        """
        if events and not isinstance(events[-1], TurnInterrupted):
            return min(after, len(self.events) - len(events))
        return after
