"""Open WebSockets: sending with back-pressure, and closing.

A socket has no queue. `send` returns when the server has handed the message to the kernel, which
buffers some megabytes at most for a client that does not read; then `send` waits. What is still
to be sent stays in the log of its turn. A client is disconnected when it has taken nothing for
SEND_SECONDS, or when more than MAX_WAITING_EVENTS of a turn have waited for it while it blocked
the sender for as long.
"""

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
"""A send that takes longer has waited for the client; a shorter one, for this process."""
CLOSE_SECONDS = 1.0
MAX_WAITING_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class CloseReason:
    """A close code and reason, and an error to be sent before.

    `close_seconds`: how long the client has to take both.
    """

    code: int
    reason: str
    error: ApiError | None = None
    close_seconds: float = CLOSE_SECONDS


RESTARTING = CloseReason(1012, "Restarting")
TOO_SLOW = CloseReason(4408, "Too slow", SlowReader(), close_seconds=SEND_SECONDS)


class SocketClosed(Exception):
    """Nothing more can be sent on the socket. The turns that it carried go on."""


class SocketConnection:
    """One client's WebSocket, and the tasks that work for it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._close_reason: asyncio.Future[CloseReason] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lasting_tasks: set[asyncio.Task[None]] = set()
        self._is_accepted = False
        self.sent_at = time.monotonic()

    @property
    def task_count(self) -> int:
        """How many tasks work for the socket that end by themselves."""
        return len(self._tasks)

    @property
    def close_reason(self) -> CloseReason | None:
        """Why the socket is being closed, if it is."""
        return self._close_reason.result() if self._close_reason.done() else None

    def start_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a task for the socket; cancelled when it closes. A restart waits for it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._on_task_done)

    def start_lasting_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The same for a task that does not end by itself: a restart does not wait for it."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._lasting_tasks.add(task)
        task.add_done_callback(self._lasting_tasks.discard)
        return task

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if process.is_stopping:
            self.request_close_if_idle()

    def request_close(self, reason: CloseReason) -> None:
        """Have the socket closed. The first reason counts."""
        if not self._close_reason.done():
            self._close_reason.set_result(reason)

    def request_close_if_idle(self) -> None:
        """Have it closed for a restart, unless a task still works for it."""
        if not self._tasks:
            self.request_close(RESTARTING)

    async def accept(self, subprotocol: str | None = None) -> None:
        """Answer the handshake."""
        await self._send({"type": "websocket.accept", "subprotocol": subprotocol})
        self._is_accepted = True

    async def send(self, text: str) -> None:
        """Send one message. Raises SocketClosed if the client has left or reads too slowly."""
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
        """The client's next message, or `socket.close.requested`.

        The server can close only while nobody waits for a message, so the wait is given up first.
        A socket that is not accepted yet is not closed: the client would get a 403.
        """
        if not self._is_accepted:
            return await self._receive()
        message: asyncio.Future[Any] = asyncio.ensure_future(self._receive())
        either: set[asyncio.Future[Any]] = {message, self._close_reason}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if self._close_reason.done():
                return {"type": "socket.close.requested"}
            return message.result()
        finally:
            if not message.done():
                message.cancel()
                await asyncio.wait({message})

    async def close(self, reason: CloseReason) -> None:
        """Send why, and close. A client that takes neither in time is cut off."""
        await self.cancel_tasks()
        try:
            async with asyncio.timeout(reason.close_seconds):
                if reason.error:
                    text = error_frame(reason.error, {})
                    await self._send({"type": "websocket.send", "text": text})
                close = {"code": reason.code, "reason": reason.reason}
                await self._send({"type": "websocket.close", **close})
        except (TimeoutError, RuntimeError, OSError) as error:
            log.info("socket_close_failed", reason=type(error).__name__)

    async def cancel_tasks(self) -> None:
        """Cancel the tasks of the socket. The turns that they follow go on."""
        tasks = [*self._tasks, *self._lasting_tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class BackpressureMonitor:
    """How far a client is behind a turn. Events from before it connected do not count, nor does
    the time that this process takes to send a burst."""

    def __init__(self, turn_log: TurnLog) -> None:
        self._events = turn_log.events
        self._initial_events = len(turn_log.events)
        self._blocked_seconds = 0.0

    def is_too_slow(self, number: int, seconds: float) -> bool:
        """Whether the client is too slow, having taken `seconds` for the event of this number."""
        if len(self._events) - max(number, self._initial_events) <= MAX_WAITING_EVENTS:
            self._blocked_seconds = 0.0
        elif seconds >= BLOCKED_SEND_SECONDS:
            self._blocked_seconds += seconds
        return self._blocked_seconds > SEND_SECONDS


class OpenSockets:
    """The sockets that are open in this process."""

    def __init__(self) -> None:
        self._closed_events: dict[SocketConnection, asyncio.Event] = {}

    def add(self, socket: SocketConnection) -> None:
        """Register a socket that has opened."""
        self._closed_events[socket] = asyncio.Event()

    def remove(self, socket: SocketConnection) -> None:
        """Unregister a socket that has closed."""
        self._closed_events.pop(socket).set()

    def close_idle(self) -> None:
        """Close the sockets without running tasks; the others close when these end."""
        for socket in list(self._closed_events):
            socket.request_close_if_idle()

    async def close(self) -> None:
        """Let pending messages out, then close all. Takes less than two seconds."""
        await self._wait_until_closed(timeout=0.5)
        for socket in list(self._closed_events):
            socket.request_close(RESTARTING)
        await self._wait_until_closed(timeout=CLOSE_SECONDS + 0.25)

    async def _wait_until_closed(self, *, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                for closed in list(self._closed_events.values()):
                    await closed.wait()
        except TimeoutError:
            log.info("sockets_still_open", sockets=len(self._closed_events))


open_sockets = OpenSockets()
