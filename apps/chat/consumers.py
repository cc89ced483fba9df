"""The WebSocket edge: parse, call the engine, format. No rule about chatting lives here.

A client sends commands and gets frames. Each command is answered by a task of its own, so that
several turns are told side by side; a turn goes on whatever becomes of the socket.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer
from django.conf import settings

from apps.api_keys.queries import Caller
from apps.chat import engine, rate_limit
from apps.chat.access import chatbot_again, chatbot_for
from apps.chat.commands import (
    ChatSend,
    Command,
    TurnFollow,
    TurnStop,
    command_in,
    request_id_of,
    words_of,
)
from apps.chat.errors import TooManyTurns
from apps.chat.events import Failed, Started
from apps.chat.frames import HEARTBEAT, as_json, error_frame, socket_frame
from apps.chat.handshake import handshake_of
from apps.chat.key_watch import key_watch
from apps.chat.sockets import TOO_SLOW, Ending, Lag, Socket, SocketOver, open_sockets
from apps.chat.turn_log import TurnLog
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.queries import turn_with
from apps.core.asgi import Receive, Scope, Send
from apps.core.drf import as_api_error
from apps.core.errors import (
    ApiError,
    PayloadTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from apps.core.logging import get_logger
from apps.core.middleware import new_request_id
from apps.core.process import process
from apps.core.threads import in_thread

log = get_logger(__name__)

MOST_TURNS = 20
_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 503: 1012}

About = dict[str, Any]
"""What the frames of one command say beside their event: requestId, turnId and the like."""


class ChatConsumer(AsyncConsumer):  # type: ignore[misc]
    """One socket of one API key with one chatbot."""

    channel_layer_alias = None
    """No channel of its own: an open socket costs Redis nothing. Turns are followed by `relay`."""

    caller: Caller | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        structlog.contextvars.clear_contextvars()
        self.socket = Socket(receive, send)
        self.telling: dict[str, asyncio.Task[Any] | None] = {}
        self.code = 1006
        began = time.perf_counter()
        open_sockets.add(self.socket)
        try:
            await super().__call__(scope, self.socket.receive, send)
        finally:
            if self.caller:
                key_watch.release(self.caller.api_key_id, self.key_ended)
            await self.socket.let_go()
            seconds = round(time.perf_counter() - began, 1)
            log.info("socket", path=scope["path"], code=self.code, seconds=seconds)
            open_sockets.remove(self.socket)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler of a message, without Channels' own look after old connections:
        nothing here uses the ORM but in the kept threads."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    # What comes

    async def websocket_connect(self, _message: dict[str, Any]) -> None:
        """Accept whoever comes, because a browser can read only what comes after that."""
        shown = handshake_of(self.scope)
        await self.base_send({"type": "websocket.accept", "subprotocol": shown.subprotocol})
        try:
            if process.is_stopping:
                raise ServiceUnavailable
            shown.require_own_origin()
            caller, _ = await in_thread(chatbot_for, shown.authorization, self.chatbot_id)
        except Exception as exception:
            error = _told(exception)
            self.socket.end(Ending(_CLOSE_CODES.get(error.status, 1011), error.code, error))
        else:
            self.caller = caller
            structlog.contextvars.bind_contextvars(workspace_id=caller.workspace_id)
            key_watch.hold(caller.api_key_id, self.key_ended)

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Take a command, and answer it in a task of its own."""
        if self.socket.ending:
            return
        text, data = message.get("text"), message.get("bytes")
        if max(len(text or ""), len(data or b""), len((text or "").encode())) > _most_bytes():
            self.socket.end(Ending(1009, "Message too large", PayloadTooLarge()))
            return
        about: About = {}
        try:
            words = words_of(text)
            if (request_id := request_id_of(words)) is not None:
                about["requestId"] = request_id
            command = command_in(words)
            if self.socket.tasks >= (
                2 * MOST_TURNS if isinstance(command, TurnStop) else MOST_TURNS
            ):
                raise TooManyTurns
        except Exception as exception:
            await self.refuse(exception, about)
        else:
            self.socket.start(self.answer(command, about))

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

    def key_ended(self) -> None:
        """Called when the key was revoked or has expired. Turns that run go on."""
        self.socket.end(Ending(4401, "API key revoked"))

    # What is answered

    async def answer(self, command: Command, about: About) -> None:
        """Do what a command says, and tell what comes of it."""
        about["xRequestId"] = new_request_id()
        structlog.contextvars.bind_contextvars(request_id=about["xRequestId"])
        try:
            match command:
                case ChatSend():
                    await self.chat(command, about)
                case TurnFollow():
                    about["turnId"] = command.turn_id
                    turn = await self.turn(command.turn_id)
                    await self.tell(await engine.follow(turn), about, after=command.after)
                case TurnStop():
                    about["turnId"] = command.turn_id
                    await self.stop(command, about)
        except SocketOver:
            return
        except Exception as exception:
            await self.refuse(exception, about)

    async def chat(self, command: ChatSend, about: About) -> None:
        """Open a turn, or find the one of the idempotency key, and tell it."""
        caller, chatbot = await self.chatbot()
        key = command.asked.idempotency_key
        window = await rate_limit.admit(chatbot, idempotency_key=key)
        about["rateLimit"] = window.fields()
        if not window.admitted:
            raise TooManyRequests(window.retry_after)
        request = command.asked.of(caller, chatbot, request_id=about["xRequestId"])
        await self.tell(await engine.begin(request), about)

    async def stop(self, command: TurnStop, about: About) -> None:
        """Stop a turn, and tell how it ended, whoever ended it."""
        outcome = await engine.stop(await self.turn(command.turn_id))
        if isinstance(outcome, Failed):
            raise outcome.error
        ended = {"type": "turn.ended", **about, "success": True, "data": outcome.data()}
        await self.socket.say(as_json(ended))

    async def tell(self, turn_log: TurnLog, about: About, *, after: int = 0) -> None:
        """Send a turn's events after a number, to its end. A turn is told once on a socket: who
        asks again for the same one goes on from there instead."""
        first = turn_log.events[0]
        if isinstance(first, Started):
            about["turnId"] = first.turn_id
        turn_id = about.get("turnId", "")
        if earlier := self.telling.get(turn_id):
            earlier.cancel()
        this = self.telling[turn_id] = asyncio.current_task()
        try:
            await self._tell(turn_log, dict(about), after)
        finally:
            if self.telling[turn_id] is this:
                del self.telling[turn_id]

    async def _tell(self, turn_log: TurnLog, about: About, number: int) -> None:
        lag = Lag(turn_log)
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
            if not events and time.monotonic() - self.socket.said_at > silence / 2:
                await self.socket.say(HEARTBEAT)

    async def refuse(self, exception: Exception, about: About) -> None:
        """Tell of an error. The socket stays open, unless its key is no longer good."""
        error = _told(exception)
        try:
            await self.socket.say(error_frame(error, about))
        except SocketOver:
            return
        if isinstance(error, Unauthenticated):
            self.key_ended()

    # What is asked of access

    @property
    def chatbot_id(self) -> str:
        """The chatbot of the address."""
        return str(self.scope["url_route"]["kwargs"]["chatbot_id"])

    async def chatbot(self) -> tuple[Caller, Chatbot]:
        """The caller and the chatbot as they are now: settings may have changed meanwhile."""
        assert self.caller is not None  # noqa: S101 - nothing is received before it is known
        return await in_thread(chatbot_again, self.caller, self.chatbot_id)

    async def turn(self, turn_id: str) -> Turn:
        """The chatbot's turn. Raises TurnNotFound."""
        caller, chatbot = await self.chatbot()
        return await in_thread(turn_with, caller.workspace_id, turn_id, chatbot_id=chatbot.id)


def _told(exception: Exception) -> ApiError:
    error = as_api_error(exception)
    if error.status >= 500:
        log.error("request_failed", code=error.code, exc_info=exception)
    return error


def _most_bytes() -> int:
    return int(settings.API_MAX_BODY_BYTES)
