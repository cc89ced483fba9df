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
from apps.chat.websocket.commands import request_id_of, words_of
from apps.chat.websocket.connection import TOO_SLOW, Ending, Lag, Socket, SocketOver, open_sockets
from apps.chat.websocket.frames import HEARTBEAT, error_frame, socket_frame
from apps.chat.websocket.handshake import Handshake, handshake_of
from apps.core.errors import ApiError, PayloadTooLarge, ServiceUnavailable
from apps.core.ids import new_request_id
from apps.infrastructure.logging import get_logger
from apps.infrastructure.process import process
from apps.infrastructure.web.asgi import Receive, Scope, Send

log = get_logger(__name__)

_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 503: 1012}

About = dict[str, Any]
"""What the frames of one command say beside their event: requestId, turnId and the like."""


class SocketConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket. An edge says who may open it, what can be asked on it, and what is answered."""

    channel_layer_alias = None
    """No channel of its own: an open socket costs Redis nothing. Turns are followed by `relay`."""

    # What an edge says

    async def admit(self, shown: Handshake) -> None:
        """Let the client in, or raise the error with which it is closed."""
        raise NotImplementedError

    def command_in(self, words: dict[str, Any]) -> Any:
        """What the client wants. Raises the error to answer with."""
        raise NotImplementedError

    async def answer(self, command: Any, about: About) -> None:
        """Do what a command says, and tell what comes of it. Raises the error to answer with."""
        raise NotImplementedError

    def ending_after(self, error: ApiError) -> Ending | None:
        """Why the socket is to be closed once this error has been told, if it is."""
        return None

    def left(self) -> None:
        """The socket is over: let go of what was held for it."""

    # How it opens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        structlog.contextvars.clear_contextvars()
        self.socket = Socket(receive, send)
        self.code = 1006
        began = time.perf_counter()
        open_sockets.add(self.socket)
        try:
            await super().__call__(scope, self.socket.receive, send)
        finally:
            self.left()
            await self.socket.let_go()
            seconds = round(time.perf_counter() - began, 1)
            log.info("socket", path=scope["path"], code=self.code, seconds=seconds)
            open_sockets.remove(self.socket)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler of a message, without Channels' own look after old connections:
        nothing here uses the ORM but in the kept threads."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accept whoever comes, because a browser can read only what comes after that."""
        shown = handshake_of(self.scope)
        await self.base_send({"type": "websocket.accept", "subprotocol": shown.subprotocol})
        try:
            if process.is_stopping:
                raise ServiceUnavailable
            await self.admit(shown)
        except Exception as exception:
            error = told(exception)
            self.socket.end(Ending(_CLOSE_CODES.get(error.status, 1011), error.code, error))

    # How it is spoken to

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Take a command, and answer it in a task of its own."""
        if self.socket.ending:
            return
        text, data = message.get("text"), message.get("bytes")
        size = max(len(text or ""), len(data or b""), len((text or "").encode()))
        if size > settings.API_MAX_BODY_BYTES:
            self.socket.end(Ending(1009, "Message too large", PayloadTooLarge()))
            return
        about: About = {}
        try:
            words = words_of(text)
            if (request_id := request_id_of(words)) is not None:
                about["requestId"] = request_id
            command = self.command_in(words)
        except Exception as exception:
            await self.refuse(exception, about)
        else:
            self.socket.start(self._answer(command, about))

    async def _answer(self, command: Any, about: About) -> None:
        about["xRequestId"] = new_request_id()
        structlog.contextvars.bind_contextvars(request_id=about["xRequestId"])
        try:
            await self.answer(command, about)
        except SocketOver:
            return
        except Exception as exception:
            await self.refuse(exception, about)

    async def refuse(self, exception: Exception, about: About) -> None:
        """Tell of an error. The socket stays open, unless the edge says otherwise."""
        error = told(exception)
        try:
            await self.socket.say(error_frame(error, about))
        except SocketOver:
            return
        if ending := self.ending_after(error):
            self.socket.end(ending)

    async def tell(self, turn_log: TurnLog, about: About, number: int) -> int:
        """Send a turn's events after this number, to its end; returns the last one's number."""
        about, lag = dict(about), Lag(turn_log)
        silence = settings.STREAM_HEARTBEAT_SECONDS
        async for events in turn_log.follow(after=number, idle=silence):
            for event in events:
                number += 1
                began = time.monotonic()
                await self.socket.say(socket_frame(number, event, about))
                about.pop("rateLimit", None)
                about.pop("xRequestId", None)
                if lag.is_too_long(number, time.monotonic() - began):
                    self.socket.end(TOO_SLOW)
                    raise SocketOver
            if not events:
                await self.beat(silence)
        return number

    async def beat(self, silence: float) -> None:
        """Send a heartbeat, if nothing else was said lately."""
        if time.monotonic() - self.socket.said_at > silence / 2:
            await self.socket.say(HEARTBEAT)

    # How it ends

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """The client has gone."""
        self.code = message.get("code") or 1005
        raise StopConsumer

    async def socket_end(self, _message: dict[str, Any]) -> None:
        """Somebody here had the socket closed."""
        if ending := self.socket.ending:
            self.code = ending.code
            await self.socket.close(ending)
        raise StopConsumer


def told(exception: Exception) -> ApiError:
    """The error to tell the client of, whatever was raised."""
    error = as_api_error(exception)
    if error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    return error
