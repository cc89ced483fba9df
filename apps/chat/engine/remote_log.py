"""The log of a turn that runs in another process, kept complete from its messages.

If the runner is silent for a while, the row in PostgreSQL decides: a turn that has settled is
replayed from there in the same frames, and one that was abandoned, or whose heartbeat has stopped,
ends with an interruption. A message may be lost or sent twice: events are numbered, so known ones
are dropped and missing ones requested again.

A copy says nothing of its own. When it hears neither from the runner nor from PostgreSQL, it tries
for GIVE_UP_SECONDS, then interrupts its followers: who follows again after the last number misses
nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from apps.chat.engine.events import decode_event
from apps.chat.engine.log import TurnLog
from apps.chat.engine.replay import Record, abandon_if_silent_and_read
from apps.chat.errors import error_from_code
from apps.conversations.models import Turn
from apps.core.errors import ApiError, InternalError, ServiceUnavailable
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.infrastructure.postgres.threads import in_thread

log = get_logger(__name__)

SILENCE_SECONDS = 3.0
"""After so long without a message PostgreSQL is read, and the runner asked again."""
GIVE_UP_SECONDS = 10.0
"""After so long without a word from the runner, an outage of Redis or PostgreSQL ends the copy."""
_RETRY_SECONDS = 0.2

RequestEvents = Callable[[], Awaitable[None]]
ReadRecord = Callable[[Turn], Awaitable[Record]]


async def read_in_thread(turn: Turn) -> Record:
    """As `abandon_if_silent_and_read`. Raises DATABASE_UNAVAILABLE."""
    return await in_thread(abandon_if_silent_and_read, turn)


class RemoteLog:
    """A copy of another process's turn log."""

    def __init__(self, turn: Turn, read: ReadRecord = read_in_thread) -> None:
        self.turn = turn
        self.log = TurnLog()
        self._read = read
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._heard_at = self._loop.time()

    def on_message(self, message: dict[str, Any]) -> None:
        """Take a message from the runner."""
        self._messages.put_nowait(message)

    async def wait_until_ready(self) -> None:
        """Wait for the first message or record. Raises ServiceUnavailable, or the error with which
        the copy ended without any."""
        await asyncio.shield(self._ready)

    async def fill(self, request_events: RequestEvents) -> None:
        """Keep the log complete until the turn is over or given up. Never ends without telling
        the followers, however it ends."""
        error: ApiError = ServiceUnavailable()
        try:
            await request_events()
            while not self.log.is_over:
                await self._process_next(request_events)
        except ServiceUnavailable as unavailable:
            error = unavailable
        except Exception as failure:
            log.error("remote_log_failed", turn_id=self.turn.id, exc_info=failure)
            error = InternalError()
        finally:
            self.give_up(error)

    async def _process_next(self, request_events: RequestEvents) -> None:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await self._messages.get()
        except TimeoutError:
            await self._ask_again(request_events)
            return
        match message["type"]:
            case "gone":
                await self._ask_again(request_events)
            case "interrupted":
                self.log.interrupt(error_from_code(message["code"]))
            case "events":
                self._heard_at = self._loop.time()
                await self._take(message, request_events)

    async def _take(self, message: dict[str, Any], request_events: RequestEvents) -> None:
        if message["first"] > len(self.log.events) + 1:
            await self._request(request_events)
            return
        known = len(self.log.events) - message["first"] + 1
        for event in message["events"][known:]:
            self.log.append(decode_event(event))
        self._set_ready()

    async def _ask_again(self, request_events: RequestEvents) -> None:
        """Ask PostgreSQL, and if the turn runs, its process: it is silent, or has it no more.

        Raises ServiceUnavailable if one of them is unavailable and the runner has been silent for
        GIVE_UP_SECONDS.
        """
        try:
            self._add(await self._read(self.turn))
        except DATABASE_UNAVAILABLE as error:
            log.warning("record_not_read", reason=type(error).__name__)
            self._require_patience(ServiceUnavailable())
        if not self.log.is_over:
            await asyncio.sleep(_RETRY_SECONDS)
            await self._request(request_events)

    def _add(self, record: Record) -> None:
        """Add what PostgreSQL knows: never less than is told already, which may be more."""
        for event in record.events[len(self.log.events) :]:
            self.log.append(event)
        if record.interruption:
            self.log.interrupt(record.interruption.error)
        elif record.events and not self.log.is_settled:
            # The turn has ended, and what was told is longer than its record.
            self.log.interrupt(InternalError())
        if self.log.events:
            self._set_ready()

    async def _request(self, request_events: RequestEvents) -> None:
        try:
            await request_events()
        except ServiceUnavailable as error:
            self._require_patience(error)

    def _require_patience(self, error: ServiceUnavailable) -> None:
        if self._loop.time() - self._heard_at > GIVE_UP_SECONDS:
            raise error

    def give_up(self, error: ApiError) -> None:
        """Interrupt the followers, and whoever waits for the first message."""
        if not self.log.is_over:
            self.log.interrupt(error)
        if self.log.events:
            self._set_ready()
        elif not self._ready.done() and self.log.interruption:
            self._ready.set_exception(self.log.interruption.error)
            self._ready.exception()  # marks it as seen: nobody may be waiting

    def _set_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)
