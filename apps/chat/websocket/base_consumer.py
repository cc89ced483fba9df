"""What the WebSocket edges share: how a socket opens, is spoken to, and ends.

A client sends commands and gets frames. Each command is answered by a task of its own, so that
one does not wait for another.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from apps.api_kit.error_format import as_api_error
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
from apps.infrastructure.logging import get_logger
from apps.infrastructure.process import process
from apps.infrastructure.web.asgi import Receive, Scope, Send

log = get_logger(__name__)

_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 503: 1012}

FrameContext = dict[str, Any]
"""What the frames of one command say beside their event: requestId, turnId and the like."""


class SocketConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket. An edge says who may open it, what can be asked on it, and what is answered."""

    channel_layer_alias = None
    """No channel of its own: an open socket costs Redis nothing. Turns are followed by `relay`."""

    # What an edge says

    async def authenticate(self, shown: Handshake) -> None:
        """Let the client in, or raise the error with which it is closed."""
        raise NotImplementedError

    def parse_command(self, words: dict[str, Any]) -> Any:
        """What the client wants. Raises the error to answer with."""
        raise NotImplementedError

    async def handle_command(self, command: Any, about: FrameContext) -> None:
        """Do what a command says, and tell what comes of it. Raises the error to answer with."""
        raise NotImplementedError

    def close_reason_after(self, error: ApiError) -> CloseReason | None:
        """Why the socket is to be closed once this error has been told, if it is."""
        return None

    def on_close(self) -> None:
        """The socket is over: let go of what was held for it."""

    # How it opens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        structlog.contextvars.clear_contextvars()
        self.socket = SocketConnection(receive, send)
        self.code = 1006
        began = time.perf_counter()
        open_sockets.add(self.socket)
        try:
            await super().__call__(scope, self.socket.receive, send)
        finally:
            self.on_close()
            await self.socket.cancel_tasks()
            seconds = round(time.perf_counter() - began, 1)
            log.info("socket", path=scope["path"], code=self.code, seconds=seconds)
            open_sockets.remove(self.socket)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler of a message, without Channels' own look after old connections:
        nothing here uses the ORM but in the kept threads."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accept whoever comes, because a browser can read only what comes after that."""
        shown = parse_handshake(self.scope)
        await self.base_send({"type": "websocket.accept", "subprotocol": shown.subprotocol})
        try:
            if process.is_stopping:
                raise ServiceUnavailable
            await self.authenticate(shown)
        except Exception as exception:
            error = to_api_error(exception)
            self.socket.request_close(
                CloseReason(_CLOSE_CODES.get(error.status, 1011), error.code, error)
            )

    # How it is spoken to

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Take a command, and answer it in a task of its own."""
        if self.socket.close_reason:
            return
        text, data = message.get("text"), message.get("bytes")
        size = max(len(text or ""), len(data or b""), len((text or "").encode()))
        if size > settings.API_MAX_BODY_BYTES:
            self.socket.request_close(CloseReason(1009, "Message too large", PayloadTooLarge()))
            return
        about: FrameContext = {}
        try:
            words = parse_message(text)
            if (request_id := parse_request_id(words)) is not None:
                about["requestId"] = request_id
            command = self.parse_command(words)
        except Exception as exception:
            await self.send_error(exception, about)
        else:
            self.socket.start_task(self._run_command(command, about))

    async def _run_command(self, command: Any, about: FrameContext) -> None:
        about["xRequestId"] = new_request_id()
        structlog.contextvars.bind_contextvars(request_id=about["xRequestId"])
        try:
            await self.handle_command(command, about)
        except SocketClosed:
            return
        except Exception as exception:
            await self.send_error(exception, about)

    async def send_error(self, exception: Exception, about: FrameContext) -> None:
        """Tell of an error. The socket stays open, unless the edge says otherwise."""
        error = to_api_error(exception)
        try:
            await self.socket.send(error_frame(error, about))
        except SocketClosed:
            return
        if ending := self.close_reason_after(error):
            self.socket.request_close(ending)

    async def send_events(self, turn_log: TurnLog, about: FrameContext, number: int) -> int:
        """Send a turn's events after this number, to its end; returns the last one's number."""
        about, lag = dict(about), BackpressureMonitor(turn_log)
        silence = settings.STREAM_HEARTBEAT_SECONDS
        async for events in turn_log.follow(after=number, idle_seconds=silence):
            for event in events:
                number += 1
                began = time.monotonic()
                await self.socket.send(socket_frame(number, event, about))
                about.pop("rateLimit", None)
                about.pop("xRequestId", None)
                if lag.is_too_slow(number, time.monotonic() - began):
                    self.socket.request_close(TOO_SLOW)
                    raise SocketClosed
            if not events:
                await self.send_heartbeat(silence)
        return number

    async def send_heartbeat(self, silence: float) -> None:
        """Send a heartbeat, if nothing else was said lately."""
        if time.monotonic() - self.socket.sent_at > silence / 2:
            await self.socket.send(HEARTBEAT)

    # How it ends

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """The client has gone."""
        self.code = message.get("code") or 1005
        raise StopConsumer

    async def socket_end(self, _message: dict[str, Any]) -> None:
        """Somebody here had the socket closed."""
        if ending := self.socket.close_reason:
            self.code = ending.code
            await self.socket.close(ending)
        raise StopConsumer


def to_api_error(exception: Exception) -> ApiError:
    """The error to tell the client of, whatever was raised."""
    error = as_api_error(exception)
    if error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    return error
