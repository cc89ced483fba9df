"""The time-outs of one call of a model."""

import asyncio
from collections.abc import Awaitable

from apps.llm.errors import ProviderTimeout
from apps.llm.movable_timeout import MovableTimeout
from apps.llm.types import Finish, ModelEvent, ReasoningDelta, SignOfLife, TextDelta, Timeouts

USAGE_GRACE_SECONDS = 5.0
"""How long a complete answer waits for the usage report that should follow it, or for more text
from a provider whose finish reasons mean nothing."""


class TotalTimeout(ProviderTimeout):
    """Our limit of the whole call is reached, however well the model is doing."""


class Deadlines:
    """Enforces `Timeouts` for one call, from the moment that this is created."""

    __slots__ = (
        "_first_token_at",
        "_has_text",
        "_is_finished",
        "_now",
        "_timeout",
        "_timeouts",
        "_total_at",
    )

    def __init__(self, timeouts: Timeouts) -> None:
        self._now = asyncio.get_running_loop().time
        started_at = self._now()
        self._timeouts = timeouts
        self._total_at = started_at + timeouts.total
        self._first_token_at = min(started_at + timeouts.first_token, self._total_at)
        self._has_text = False
        self._is_finished = False
        self._timeout: MovableTimeout | None = None

    def allows_pause(self, seconds: float) -> bool:
        """Whether a first token can still arrive in time after a pause of so many seconds."""
        return self._now() + seconds < self._first_token_at

    async def enforce(self, attempt: Awaitable[None]) -> None:
        """Wait for an attempt, which passes each of its events to `on_event`.

        After `Finish` the answer is complete, unless more follows: being late then ends the call
        without an error.

        Raises: ProviderTimeout.
        """
        self._timeout = MovableTimeout(self._first_token_at)
        try:
            with self._timeout:
                await attempt
        except TimeoutError:
            if self._now() < self._timeout.deadline:
                raise  # the provider's own, not one of these
            if not self._is_finished:
                raise self._error(self._timeout.deadline) from None

    def on_event(self, event: ModelEvent) -> None:
        """Restart the wait for the next event."""
        if self._timeout is None:
            return
        kind = type(event)
        if kind is TextDelta:
            self._has_text, self._is_finished = True, False
        elif kind is ReasoningDelta:
            self._is_finished = False
        elif kind is Finish:
            self._is_finished = True
        elif self._is_finished:
            return  # pings do not prolong a complete answer
        # Some providers end the reasoning with a finish reason, too.
        is_complete = self._is_finished and self._has_text
        wait = USAGE_GRACE_SECONDS if is_complete else self._timeouts.between_tokens
        deadline = min(self._now() + wait, self._total_at)
        if kind is SignOfLife:
            deadline = max(deadline, self._timeout.deadline)
        self._timeout.reschedule(deadline)

    def _error(self, deadline: float) -> ProviderTimeout:
        timeouts = self._timeouts
        if deadline == self._total_at:
            return TotalTimeout(f"the answer was not complete after {timeouts.total:g} s")
        if deadline == self._first_token_at:
            return ProviderTimeout(f"no first token within {timeouts.first_token:g} s")
        return ProviderTimeout(f"no further token within {timeouts.between_tokens:g} s")
