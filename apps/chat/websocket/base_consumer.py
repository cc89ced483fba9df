"""Base of the WebSocket consumers: how a socket opens, takes commands, and closes.

A client sends commands and gets frames. Each command runs in a task of its own, so that one does
not wait for another.
"""

import asyncio
import time
from functools import partial
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from apps.api_kit.error_format import as_api_error
from apps.chat.engine.events import TurnInterrupted
from apps.chat.engine.log import TurnLog
from apps.chat.websocket.commands import parse_message, parse_request_id
from apps.chat.websocket.connection import (
    TOO_SLOW,
    BackpressureMonitor,
    CloseReason,
    SocketClosed,
    SocketConnection,
    open_sockets,
)
from apps.chat.websocket.frames import HEARTBEAT, error_frame, socket_frame
from apps.chat.websocket.handshake import Handshake, parse_handshake
from apps.core.errors import ApiError, PayloadTooLarge, ServiceUnavailable
from apps.core.ids import new_request_id
from apps.infrastructure.limits.socket_guard import SocketSlot
from apps.infrastructure.logging import get_logger
from apps.infrastructure.process import process
from apps.infrastructure.web.asgi import Receive, Scope, Send

log = get_logger(__name__)

_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 429: 4429, 503: 1012}
_MESSAGE_TOO_LARGE = CloseReason(1009, "Message too large", PayloadTooLarge())

FrameContext = dict[str, Any]
"""The fields that the frames of one command have beside their event's: requestId, turnId, …"""


class SocketConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket. Subclasses say who may connect, which commands there are, and what they do."""

    channel_layer_alias = None
    """No channel of its own: an open socket costs Redis nothing. Turns are followed by `relay`."""

    # For subclasses

    async def authenticate(self, handshake: Handshake) -> None:
        """Accept the client, or raise the error with which the socket is closed."""
        raise NotImplementedError

    def parse_command(self, message: dict[str, Any]) -> Any:
        """The command in a message. Raises the error to send."""
        raise NotImplementedError

    async def handle_command(self, command: Any, context: FrameContext) -> None:
        """Run a command and send its frames. Raises the error to send."""
        raise NotImplementedError

    def close_reason_after(self, error: ApiError) -> CloseReason | None:
        """Why the socket is closed after this error has been sent; None if it stays open."""
        return None

    def on_close(self) -> None:
        """Release what was held for the socket."""

    # Opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        structlog.contextvars.clear_contextvars()
        self.socket = SocketConnection(receive, send)
        self.code = 1006
        opened_at = time.perf_counter()
        open_sockets.add(self.socket)
        self.slot: SocketSlot = scope["slot"]
        self.slot.messages.on_too_long = partial(self.socket.request_close, _MESSAGE_TOO_LARGE)
        try:
            await super().__call__(scope, self.socket.receive, send)
        finally:
            self.on_close()
            await self.socket.cancel_tasks()
            seconds = round(time.perf_counter() - opened_at, 1)
            log.info("socket", path=scope["path"], code=self.code, seconds=seconds)
            open_sockets.remove(self.socket)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler of a message, without Channels' check for old database connections:
        the ORM is used in the thread pool alone."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accept first, then authenticate: a browser can only read a close code after that."""
        handshake = parse_handshake(self.scope)
        await self.socket.accept(handshake.subprotocol)
        try:
            if process.is_stopping:
                raise ServiceUnavailable
            async with asyncio.timeout(settings.SOCKET_AUTHENTICATION_SECONDS):
                await self.authenticate(handshake)
            self.slot.opened()
        except Exception as exception:
            is_late = isinstance(exception, TimeoutError)
            error = to_api_error(ServiceUnavailable() if is_late else exception)
            code = _CLOSE_CODES.get(error.status, 1011)
            self.socket.request_close(CloseReason(code, error.code, error))

    # Commands

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Parse a command, and run it in a task of its own."""
        if self.socket.close_reason:
            return
        text, data = message.get("text"), message.get("bytes")
        size = max(len(text or ""), len(data or b""), len((text or "").encode()))
        if size > settings.API_MAX_BODY_BYTES:
            self.socket.request_close(_MESSAGE_TOO_LARGE)
            return
        context: FrameContext = {}
        try:
            fields = parse_message(text)
            if (request_id := parse_request_id(fields)) is not None:
                context["requestId"] = request_id
            command = self.parse_command(fields)
        except Exception as exception:
            await self.send_error(exception, context)
        else:
            self.socket.start_task(self._run_command(command, context))

    async def _run_command(self, command: Any, context: FrameContext) -> None:
        context["xRequestId"] = new_request_id()
        structlog.contextvars.bind_contextvars(request_id=context["xRequestId"])
        try:
            await self.handle_command(command, context)
        except SocketClosed:
            return
        except Exception as exception:
            await self.send_error(exception, context)

    async def send_error(self, exception: Exception, context: FrameContext) -> None:
        """Send an error. The socket stays open unless `close_reason_after` says otherwise."""
        error = to_api_error(exception)
        try:
            await self.socket.send(error_frame(error, context))
        except SocketClosed:
            return
        if reason := self.close_reason_after(error):
            self.socket.request_close(reason)

    async def send_events(self, turn_log: TurnLog, context: FrameContext, number: int) -> int:
        """Send a turn's events after this number, to its end. Returns the last one's number."""
        context, backpressure = dict(context), BackpressureMonitor(turn_log)
        idle_seconds = settings.STREAM_HEARTBEAT_SECONDS
        async for events in turn_log.follow(after=number, idle_seconds=idle_seconds):
            number = turn_log.number_before(events, number)
            for event in events:
                if not isinstance(event, TurnInterrupted):
                    number += 1
                started_at = time.monotonic()
                await self.socket.send(socket_frame(number, event, context))
                context.pop("rateLimit", None)
                context.pop("xRequestId", None)
                if backpressure.is_too_slow(number, time.monotonic() - started_at):
                    self.socket.request_close(TOO_SLOW)
                    raise SocketClosed
            if not events:
                await self.send_heartbeat(idle_seconds)
        return number

    async def send_heartbeat(self, idle_seconds: float) -> None:
        """Send a heartbeat, unless something else was sent lately."""
        if time.monotonic() - self.socket.sent_at > idle_seconds / 2:
            await self.socket.send(HEARTBEAT)

    # Closing

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """The client has disconnected."""
        self.code = message.get("code") or 1005
        raise StopConsumer

    async def socket_close_requested(self, _message: dict[str, Any]) -> None:
        """Close the socket for the reason that was requested."""
        if reason := self.socket.close_reason:
            self.code = reason.code
            await self.socket.close(reason)
        raise StopConsumer


def to_api_error(exception: Exception) -> ApiError:
    """The error to send for an exception. Server errors are logged."""
    error = as_api_error(exception)
    if error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    return error
