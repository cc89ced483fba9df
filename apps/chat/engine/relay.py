"""How turns are followed and stopped from another process: Channels carries the words.

Each process listens on one channel of its own, whose name is written on the turns it runs. A
process that wants a turn of another's keeps a *mirror*: a log with the same numbered events. It
asks the runner to send what comes after the last event it has; the runner sends to that process
alone, and all who follow the turn there read the mirror. So a turn that nobody follows costs
Redis nothing, and a thousand followers in one process cost it as much as one.

    follower's process                      runner's process
    mirror ── follow(turn, after) ────────▶ its channel
           ◀──────── events(turn, first) ── one message for what came together
           ◀──────── events(turn, first) ── nothing new for a while: an empty one
           ── stop(turn) ─────────────────▶

A mirror that hears nothing for a while asks PostgreSQL: a turn that has settled is told from
there, in the same frames; one whose heartbeat has stopped is given up with an error. A message
may be lost or doubled on the way: events carry their numbers, so a mirror drops what it has and
asks again for what it missed.
"""

from __future__ import annotations

import asyncio
import contextvars
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from apps.chat import errors
from apps.chat.engine.events import TurnFailed, decode_event, encode_event
from apps.chat.engine.log import TurnLog
from apps.chat.engine.replay import is_heartbeat_overdue, replay_events
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.threads import in_thread

log = get_logger(__name__)

KEEPALIVE_SECONDS = 2.0
"""After so long without an event the runner says that it is still there."""
SILENCE_SECONDS = 3.0
"""After so long without a word a mirror asks PostgreSQL, then the runner once more."""
_SEND_SECONDS = 1.0

REDIS_UNAVAILABLE = (RedisError, OSError, TimeoutError)


class Relay:
    """This process's channel: the mirrors it keeps, and the turns it sends to others."""

    def __init__(self, find_log: Callable[[str], TurnLog | None], stop: Callable[[str], None]):
        self.name = f"process.{secrets.token_hex(8)}"
        self._find_log = find_log
        self._stop = stop
        self._mirrors: dict[str, RemoteLog] = {}
        self._sending: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._listening: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Begin to listen, once. Goes on, and comes back after Redis was away, until `close`."""
        if self._listening is None or self._listening.done():
            self._listening = _detached(self._listen())

    async def close(self) -> None:
        """Stop listening and sending."""
        tasks = [*self._sending.values(), *([self._listening] if self._listening else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def follow_remote(self, turn: Turn) -> TurnLog:
        """A log of a turn that another process runs. Raises ServiceUnavailable without Redis."""
        found = self._mirrors.get(turn.id)
        if found is None:
            self.listen()
            found = self._mirrors[turn.id] = RemoteLog(turn)
            found.task = _detached(self._keep(found))
        await found.reached()
        return found.log

    async def stop(self, turn: Turn) -> None:
        """Ask the turn's process to stop it. Raises ServiceUnavailable without Redis."""
        await self._send(turn.process, {"type": "stop", "turn": turn.id})

    # The follower's side

    async def _keep(self, mirror: RemoteLog) -> None:
        try:
            await mirror.fill(lambda: self._ask(mirror))
        finally:
            self._mirrors.pop(mirror.turn.id, None)

    async def _ask(self, mirror: RemoteLog) -> None:
        message = {"type": "follow", "turn": mirror.turn.id, "to": self.name}
        await self._send(mirror.turn.process, {**message, "after": len(mirror.log.events)})

    # The runner's side

    async def _tell(self, turn_id: str, to: str, after: int) -> None:
        """Send a turn's events after a number, as they come, to one process."""
        turn_log = self._find_log(turn_id)
        if turn_log is None:
            await self._send(to, {"type": "gone", "turn": turn_id})
            return
        async for events in turn_log.follow(after=after, idle_seconds=KEEPALIVE_SECONDS):
            told = [encode_event(event) for event in events]
            message = {"type": "events", "turn": turn_id, "first": after + 1, "events": told}
            await self._send(to, message)
            after += len(events)

    async def _listen(self) -> None:
        layer = get_channel_layer()
        while True:
            try:
                self._hear(await layer.receive(self.name))
            except REDIS_UNAVAILABLE as error:
                # Subscribing failed, yet the layer takes it for done: have it begin again.
                log.warning("relay_away", reason=type(error).__name__)
                await layer.flush()
                await asyncio.sleep(1)
            except Exception:
                # A message of another version's process, perhaps: go on to hear the others.
                log.exception("relay_broke")
                await asyncio.sleep(1)

    def _hear(self, message: dict[str, Any]) -> None:
        turn_id = message["turn"]
        match message["type"]:
            case "follow":
                self._begin_to_tell(turn_id, message["to"], message["after"])
            case "stop":
                self._stop(turn_id)
            case "events" | "gone":
                if mirror := self._mirrors.get(turn_id):
                    mirror.hear(message)

    def _begin_to_tell(self, turn_id: str, to: str, after: int) -> None:
        key = (turn_id, to)
        if earlier := self._sending.pop(key, None):
            earlier.cancel()
        task = self._sending[key] = _detached(self._tell(turn_id, to, after))
        task.add_done_callback(lambda done: self._told(key, done))

    def _told(self, key: tuple[str, str], done: asyncio.Task[None]) -> None:
        if self._sending.get(key) is done:
            del self._sending[key]
        if not done.cancelled() and (error := done.exception()):
            log.warning("relay_away", reason=type(error).__name__)

    async def _send(self, to: str, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await get_channel_layer().send(to, message)
        except REDIS_UNAVAILABLE as error:
            raise ServiceUnavailable from error


class RemoteLog:
    """A log of another process's turn, and what it takes to keep it whole."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.log = TurnLog()
        self.task: asyncio.Task[None] | None = None
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message of the runner's."""
        self._heard.put_nowait(message)

    async def reached(self) -> None:
        """Return when the turn can be told, from wherever; raises ServiceUnavailable otherwise."""
        await asyncio.shield(self._reached)

    async def fill(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Keep the log whole until the turn is over or given up."""
        try:
            await ask()
            while not self.log.is_over:
                await self._take_next(ask)
        except ServiceUnavailable as error:
            self._give_up(error)
        except Exception as error:
            log.error("mirror_broke", turn_id=self.turn.id, exc_info=error)
            self._give_up(ServiceUnavailable())

    async def _take_next(self, ask: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await self._heard.get()
        except TimeoutError:
            message = {"type": "gone"}
        if message["type"] == "gone":
            await self._read_the_record()
            if not self.log.is_over:
                await asyncio.sleep(0.2)
                await ask()
        elif message["first"] > len(self.log.events) + 1:
            await ask()
        else:
            have = len(self.log.events) - message["first"] + 1
            for event in message["events"][have:]:
                self.log.append(decode_event(event))
            self._is_reached()

    async def _read_the_record(self) -> None:
        """What PostgreSQL says of a turn whose process says nothing."""
        await in_thread(self.turn.refresh_from_db)
        if self.turn.status != TurnStatus.RUNNING:
            for event in (await in_thread(replay_events, self.turn))[len(self.log.events) :]:
                self.log.append(event)
        elif is_heartbeat_overdue(self.turn):
            self.log.append(TurnFailed(errors.TurnAbandoned()))
        if self.log.events:
            self._is_reached()

    def _give_up(self, error: ServiceUnavailable) -> None:
        if not self._reached.done():
            self._reached.set_exception(error)
            self._reached.exception()  # whoever waits is told; nobody waiting is no fault
        if not self.log.is_over:
            self.log.append(TurnFailed(error))

    def _is_reached(self) -> None:
        if not self._reached.done():
            self._reached.set_result(None)


def _detached(step: Any) -> asyncio.Task[None]:
    """A task that does not inherit the request in which it began."""
    return asyncio.get_running_loop().create_task(step, context=contextvars.Context())
