"""The log of a turn that runs in another process, kept complete from its messages.

If the runner is silent for a while, the row in PostgreSQL decides: a turn that has settled is
replayed from there in the same frames, and one whose heartbeat has stopped ends with an error. A
message may be lost or sent twice: events are numbered, so known ones are dropped and missing ones
requested again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from apps.chat import errors
from apps.chat.engine.events import TurnFailed, decode_event
from apps.chat.engine.log import TurnLog
from apps.chat.engine.replay import is_heartbeat_overdue, replay_events
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.threads import in_thread

log = get_logger(__name__)

SILENCE_SECONDS = 3.0
"""After so long without a message PostgreSQL is read, and the runner asked again."""
_RETRY_SECONDS = 0.2

RequestEvents = Callable[[], Awaitable[None]]


class RemoteLog:
    """A copy of another process's turn log."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.log = TurnLog()
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_message(self, message: dict[str, Any]) -> None:
        """Take a message from the runner."""
        self._messages.put_nowait(message)

    async def wait_until_ready(self) -> None:
        """Wait for the first message or record. Raises ServiceUnavailable if neither can come."""
        await asyncio.shield(self._ready)

    async def fill(self, request_events: RequestEvents) -> None:
        """Keep the log complete until the turn is over or given up."""
        try:
            await request_events()
            while not self.log.is_over:
                await self._process_next(request_events)
        except ServiceUnavailable as error:
            self._give_up(error)
        except Exception as error:
            log.error("remote_log_failed", turn_id=self.turn.id, exc_info=error)
            self._give_up(ServiceUnavailable())

    async def _process_next(self, request_events: RequestEvents) -> None:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await self._messages.get()
        except TimeoutError:
            message = {"type": "gone"}
        if message["type"] == "gone":
            await self._read_record()
            if not self.log.is_over:
                await asyncio.sleep(_RETRY_SECONDS)
                await request_events()
        elif message["first"] > len(self.log.events) + 1:
            await request_events()
        else:
            known = len(self.log.events) - message["first"] + 1
            for event in message["events"][known:]:
                self.log.append(decode_event(event))
            self._set_ready()

    async def _read_record(self) -> None:
        """Add what PostgreSQL knows of the turn, whose process is silent."""
        await in_thread(self.turn.refresh_from_db)
        if self.turn.status != TurnStatus.RUNNING:
            for event in (await in_thread(replay_events, self.turn))[len(self.log.events) :]:
                self.log.append(event)
        elif is_heartbeat_overdue(self.turn):
            self.log.append(TurnFailed(errors.TurnAbandoned()))
        if self.log.events:
            self._set_ready()

    def _give_up(self, error: ServiceUnavailable) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # marks it as seen: nobody may be waiting
        if not self.log.is_over:
            self.log.append(TurnFailed(error))

    def _set_ready(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)
