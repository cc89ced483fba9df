"""Follow and stop turns that run in another process, over the channel layer.

Each process listens on one channel, whose name is stored with the turns that it runs. A process
that wants another's turn keeps a `RemoteLog`: a log with the same numbered events. It asks the
runner for the events after the last one that it has; the runner sends them to that process, and
all followers there read the remote log. So a turn that nobody follows elsewhere costs Redis
nothing, and a thousand followers in one process cost it as much as one.

    follower's process                             runner's process
    RemoteLog ── follow(turn, after) ────────────▶ its channel
              ◀──────────── events(turn, first) ── one message for what came together
              ◀──────────── events(turn, first) ── an empty one after KEEPALIVE_SECONDS
              ◀──────────── interrupted(turn) ──── the runner's own followers were interrupted
              ── stop(turn) ─────────────────────▶
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from channels.layers import get_channel_layer

from apps.chat.engine.events import TurnEvent, TurnInterrupted, encode_event
from apps.chat.engine.log import TurnLog
from apps.chat.engine.remote_log import ReadRecord, RemoteLog, read_in_thread
from apps.conversations.models import Turn
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS

log = get_logger(__name__)

KEEPALIVE_SECONDS = 2.0
"""After so long without an event the runner sends an empty message."""
_SEND_SECONDS = 1.0


class Relay:
    """This process's channel: the remote logs that it keeps, and the turns that it sends."""

    def __init__(
        self,
        find_log: Callable[[str], TurnLog | None],
        stop: Callable[[str], None],
        *,
        get_layer: Callable[[], Any] = get_channel_layer,
        read: ReadRecord = read_in_thread,
    ) -> None:
        self.name = f"process.{secrets.token_hex(8)}"
        self._find_log = find_log
        self._stop = stop
        self._get_layer = get_layer
        self._read = read
        self._is_stopping = False
        self._remote_logs: dict[str, RemoteLog] = {}
        self._copying: set[asyncio.Task[None]] = set()
        self._senders: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._listener: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Start to listen, once. Survives outages of Redis; ends with `close`."""
        if self._listener is None or self._listener.done():
            self._listener = start_background_task(self._listen())

    def stop_following(self) -> None:
        """Interrupt the followers of other processes' turns: this process stops, and they can go
        on in another one. No more are accepted."""
        self._is_stopping = True
        for remote in self._remote_logs.values():
            remote.give_up(ServiceUnavailable())
        for task in self._copying:
            task.cancel()

    async def close(self) -> None:
        """Stop following, listening and sending."""
        self.stop_following()
        listener = [self._listener] if self._listener else []
        tasks = [*self._copying, *self._senders.values(), *listener]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def follow_remote(self, turn: Turn) -> TurnLog:
        """The log of a turn that another process runs.

        Raises ServiceUnavailable without Redis, or while this process stops.
        """
        if self._is_stopping:
            raise ServiceUnavailable
        remote = self._remote_logs.get(turn.id)
        if remote is None:
            self.listen()
            remote = self._remote_logs[turn.id] = RemoteLog(turn, self._read)
            task = start_background_task(self._fill(remote))
            self._copying.add(task)
            task.add_done_callback(self._copying.discard)
        await remote.wait_until_ready()
        return remote.log

    async def stop(self, turn: Turn) -> None:
        """Ask the turn's process to stop it. Raises ServiceUnavailable without Redis."""
        await self._send(turn.process, {"type": "stop", "turn": turn.id})

    # The follower's side

    async def _fill(self, remote: RemoteLog) -> None:
        try:
            await remote.fill(lambda: self._request_events(remote))
        finally:
            self._remote_logs.pop(remote.turn.id, None)

    async def _request_events(self, remote: RemoteLog) -> None:
        message = {"type": "follow", "turn": remote.turn.id, "to": self.name}
        await self._send(remote.turn.process, {**message, "after": len(remote.log.events)})

    # The runner's side

    async def _send_events(self, turn_id: str, to: str, after: int) -> None:
        """Send a turn's events after number `after`, as they come, to one process."""
        turn_log = self._find_log(turn_id)
        if turn_log is None:
            await self._send(to, {"type": "gone", "turn": turn_id})
            return
        async for events in turn_log.follow(after=after, idle_seconds=KEEPALIVE_SECONDS):
            await self._send(to, {"turn": turn_id, **_events_message(events, after=after)})
            after += len(events)

    async def _listen(self) -> None:
        layer = self._get_layer()
        while True:
            try:
                self._on_message(await layer.receive(self.name))
            except REDIS_ERRORS as error:
                # The layer believes that it has subscribed, though it has not: start it anew.
                log.warning("relay_unavailable", reason=type(error).__name__)
                with suppress(*REDIS_ERRORS):
                    await layer.flush()
                await asyncio.sleep(1)
            except Exception:
                # Perhaps a message from another version: go on with the next.
                log.exception("relay_failed")
                await asyncio.sleep(1)

    def _on_message(self, message: dict[str, Any]) -> None:
        turn_id = message["turn"]
        match message["type"]:
            case "follow":
                self._start_sending(turn_id, message["to"], message["after"])
            case "stop":
                self._stop(turn_id)
            case "events" | "gone" | "interrupted":
                if remote := self._remote_logs.get(turn_id):
                    remote.on_message(message)

    def _start_sending(self, turn_id: str, to: str, after: int) -> None:
        key = (turn_id, to)
        if earlier := self._senders.pop(key, None):
            earlier.cancel()
        task = self._senders[key] = start_background_task(self._send_events(turn_id, to, after))
        task.add_done_callback(lambda done: self._on_sent(key, done))

    def _on_sent(self, key: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._senders.get(key) is task:
            del self._senders[key]
        if not task.cancelled() and (error := task.exception()):
            log.warning("relay_unavailable", reason=type(error).__name__)

    async def _send(self, to: str, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._get_layer().send(to, message)
        except REDIS_ERRORS as error:
            raise ServiceUnavailable from error


def _events_message(events: Sequence[TurnEvent], *, after: int) -> dict[str, Any]:
    if events and isinstance(events[0], TurnInterrupted):  # always alone
        return {"type": "interrupted", "code": events[0].error.code}
    encoded = [encode_event(event) for event in events if not isinstance(event, TurnInterrupted)]
    return {"type": "events", "first": after + 1, "events": encoded}
