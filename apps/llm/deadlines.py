"""How long a model may take: the time-outs of one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from apps.llm.errors import ProviderTimeout
from apps.llm.movable_timeout import MovableTimeout
from apps.llm.types import Finish, ModelEvent, Timeouts

USAGE_GRACE_SECONDS = 2.0
"""How long a whole answer waits for the usage report that should follow it."""


class Deadlines:
    """The clock of one call, started when it is made."""

    __slots__ = ("_alarm", "_clock", "_finished", "_first_token_at", "_timeouts", "_total_at")

    def __init__(self, timeouts: Timeouts) -> None:
        self._clock = asyncio.get_running_loop().time
        started = self._clock()
        self._timeouts = timeouts
        self._total_at = started + timeouts.total
        self._first_token_at = min(started + timeouts.first_token, self._total_at)
        self._finished = False
        self._alarm: MovableTimeout | None = None

    def allows_pause(self, seconds: float) -> bool:
        """Whether a first token can still come after a pause this long."""
        return self._clock() + seconds < self._first_token_at

    async def enforce(self, attempt: Awaitable[None]) -> None:
        """Wait for an attempt, which tells each of its events by `on_event`.

        After `Finish` the answer is whole, so lateness no longer fails it but ends it.

        Raises: ProviderTimeout.
        """
        self._alarm = MovableTimeout(self._first_token_at)
        try:
            with self._alarm:
                await attempt
        except TimeoutError:
            if self._clock() < self._alarm.deadline:
                raise  # the provider's own: not a limit of ours
            if not self._finished:
                raise self._failure(self._alarm.deadline) from None

    def on_event(self, event: ModelEvent) -> None:
        """A sign of life: the wait for the next one begins."""
        if self._alarm is None:
            return
        self._finished = self._finished or isinstance(event, Finish)
        patience = USAGE_GRACE_SECONDS if self._finished else self._timeouts.between_tokens
        self._alarm.reschedule(min(self._clock() + patience, self._total_at))

    def _failure(self, deadline: float) -> ProviderTimeout:
        limits = self._timeouts
        if deadline == self._total_at:
            return ProviderTimeout(f"the answer was not complete after {limits.total:g} s")
        if deadline == self._first_token_at:
            return ProviderTimeout(f"no first token within {limits.first_token:g} s")
        return ProviderTimeout(f"no further token within {limits.between_tokens:g} s")
