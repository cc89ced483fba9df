"""The open WebSockets: what is said on each, how far its reader may fall behind, how it ends.

A socket has no queue. `send` returns when the server has handed the message to the kernel, which
keeps some megabytes at most for a reader that does not read; then `send` waits. What is still to
be told stays where it is anyway, in the log of its turn. A reader is cut when it has taken
nothing for SEND_SECONDS, or when more than MOST_WAITING new events of a turn have waited for it
while it held up their sender for as long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from apps.chat.engine.log import TurnLog
from apps.chat.errors import SlowReader
from apps.chat.websocket.frames import error_frame
from apps.core.errors import ApiError
from apps.infrastructure.logging import get_logger
from apps.infrastructure.process import process
from apps.infrastructure.web.asgi import Receive, Send

log = get_logger(__name__)

SEND_SECONDS = 5.0
BLOCKED_SEND_SECONDS = 0.05
"""A message that took so long waited for its reader; one that took less waited for us."""
CLOSE_SECONDS = 1.0
MAX_WAITING_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class CloseReason:
    """Why a socket is closed: its close code and reason, and an error to be told before.

    `close_seconds`: seconds that the client has to take both.
    """

    code: int
    reason: str
    error: ApiError | None = None
    close_seconds: float = CLOSE_SECONDS


RESTARTING = CloseReason(1012, "Restarting")
TOO_SLOW = CloseReason(4408, "Too slow", SlowReader(), close_seconds=SEND_SECONDS)


class SocketClosed(Exception):
    """Nothing more can be said on the socket; what was being told goes on without it."""


class SocketConnection:
    """One client's WebSocket, and the tasks that work for it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._close_reason: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()
        self.sent_at = time.monotonic()

    @property
    def task_count(self) -> int:
        """How many tasks work for the socket that will end by themselves."""
        return len(self._tasks)

    @property
    def close_reason(self) -> CloseReason | None:
        """Why it is being closed, if it is."""
        return self._close_reason.result() if self._close_reason.done() else None

    def start_task(self, step: Coroutine[Any, Any, None]) -> None:
        """Work on something for the socket, at most for as long as it is open. A restart of the
        process waits for it."""
        task = asyncio.get_running_loop().create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def start_lasting_task(self, step: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The same for what has no end of its own, and so is not waited for."""
        task = asyncio.get_running_loop().create_task(step)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if process.is_stopping:
            self.request_close_if_idle()

    def request_close(self, ending: CloseReason) -> None:
        """Have the socket closed. The first reason stands."""
        if not self._close_reason.done():
            self._close_reason.set_result(ending)

    def request_close_if_idle(self) -> None:
        """Have it closed for a restart, unless something is still being told on it."""
        if not self._tasks:
            self.request_close(RESTARTING)

    async def send(self, text: str) -> None:
        """Send one message. Raises SocketOver when the client has gone or reads too slowly."""
        if self._close_reason.done():
            raise SocketClosed
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            self.request_close(TOO_SLOW)
            raise SocketClosed from None
        except (RuntimeError, OSError) as error:
            raise SocketClosed from error
        self.sent_at = time.monotonic()

    async def receive(self) -> Any:
        """The client's next message, or `socket.request_close` once the socket is to be closed.

        The server can close only while nobody waits for a message, so the wait is given up first.
        """
        coming: asyncio.Future[Any] = asyncio.ensure_future(self._receive())
        either: set[asyncio.Future[Any]] = {coming, self._close_reason}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "socket.end"} if self._close_reason.done() else coming.result()
        finally:
            if not coming.done():
                coming.cancel()
                await asyncio.wait({coming})

    async def close(self, ending: CloseReason) -> None:
        """Say why, and close. A client that takes neither in time is cut."""
        await self.cancel_tasks()
        try:
            async with asyncio.timeout(ending.close_seconds):
                if ending.error:
                    text = error_frame(ending.error, {})
                    await self._send({"type": "websocket.send", "text": text})
                close = {"code": ending.code, "reason": ending.reason}
                await self._send({"type": "websocket.close", **close})
        except (TimeoutError, RuntimeError, OSError) as error:
            log.info("socket_cut", reason=type(error).__name__)

    async def cancel_tasks(self) -> None:
        """End the tasks of the socket. The turns they tell go on."""
        tasks = [*self._tasks, *self._lasting]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class BackpressureMonitor:
    """How far a reader is behind a turn. What was there when it came does not count, and neither
    does the time that we take ourselves to send a burst."""

    def __init__(self, turn_log: TurnLog) -> None:
        self._events = turn_log.events
        self._there = len(turn_log.events)
        self._held_up = 0.0

    def is_too_slow(self, number: int, seconds: float) -> bool:
        """Whether a reader that took so long to take the event of this number is too slow."""
        if len(self._events) - max(number, self._there) <= MAX_WAITING_EVENTS:
            self._held_up = 0.0
        elif seconds >= BLOCKED_SEND_SECONDS:
            self._held_up += seconds
        return self._held_up > SEND_SECONDS


class OpenSockets:
    """This process's open sockets."""

    def __init__(self) -> None:
        self._open: dict[SocketConnection, asyncio.Event] = {}

    def add(self, socket: SocketConnection) -> None:
        """A socket has opened."""
        self._open[socket] = asyncio.Event()

    def remove(self, socket: SocketConnection) -> None:
        """It has closed."""
        self._open.pop(socket).set()

    def close_idle(self) -> None:
        """Close those on which nothing is being told; the others follow when that ends."""
        for socket in list(self._open):
            socket.request_close_if_idle()

    async def close(self) -> None:
        """Let the last words out, then close what is open. Takes less than two seconds."""
        await self._all_closed(within=0.5)
        for socket in list(self._open):
            socket.request_close(RESTARTING)
        await self._all_closed(within=CLOSE_SECONDS + 0.25)

    async def _all_closed(self, *, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                for closed in list(self._open.values()):
                    await closed.wait()
        except TimeoutError:
            log.info("sockets_still_open", sockets=len(self._open))


open_sockets = OpenSockets()
