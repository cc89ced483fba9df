"""How long a model may take: the time-outs of one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

from apps.llm.alarm import Alarm
from apps.llm.errors import ModelTimeout
from apps.llm.types import Finish, ModelEvent, Timeouts

USAGE_GRACE_SECONDS = 2.0
"""How long a whole answer waits for the usage report that should follow it."""


class Limits:
    """The clock of one call, started when it is made."""

    __slots__ = ("_first_token_at", "_timeouts", "_total_at")

    def __init__(self, timeouts: Timeouts) -> None:
        started = asyncio.get_running_loop().time()
        self._timeouts = timeouts
        self._total_at = started + timeouts.total
        self._first_token_at = min(started + timeouts.first_token, self._total_at)

    def allow_pause(self, seconds: float) -> bool:
        """Whether a first token can still come after a pause this long."""
        return asyncio.get_running_loop().time() + seconds < self._first_token_at

    async def watch(
        self, events: AsyncGenerator[ModelEvent, None]
    ) -> AsyncGenerator[ModelEvent, None]:
        """The same events, in time; closes `events` on every way out.

        Only the waits for the provider are watched, never the consumer's own work on an event.
        After `Finish` the answer is whole, so lateness no longer fails it but ends it.

        Raises: ModelTimeout.
        """
        clock = asyncio.get_running_loop().time
        finished = False
        async with aclosing(events):
            with closing(Alarm(self._first_token_at)) as alarm:
                while True:
                    try:
                        with alarm:
                            event = await anext(events)
                    except StopAsyncIteration:
                        return
                    except TimeoutError:
                        if clock() < alarm.deadline:
                            raise  # the provider's own: not a limit of ours
                        if finished:
                            return
                        raise self._failure(alarm.deadline) from None
                    finished = finished or isinstance(event, Finish)
                    patience = USAGE_GRACE_SECONDS if finished else self._timeouts.between_tokens
                    alarm.deadline = min(clock() + patience, self._total_at)
                    yield event

    def _failure(self, deadline: float) -> ModelTimeout:
        limits = self._timeouts
        if deadline == self._total_at:
            return ModelTimeout(f"the answer was not complete after {limits.total:g} s")
        if deadline == self._first_token_at:
            return ModelTimeout(f"no first token within {limits.first_token:g} s")
        return ModelTimeout(f"no further token within {limits.between_tokens:g} s")
