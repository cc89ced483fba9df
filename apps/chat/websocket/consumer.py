"""The WebSocket of a chatbot: parse, call the engine, format. No rule about chatting lives here.

Several turns are told side by side; a turn goes on whatever becomes of the socket.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from apps.api_keys.queries import Caller
from apps.api_kit.error_format import as_api_error
from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine import start as engine
from apps.chat.engine.access import chatbot_again, chatbot_for
from apps.chat.engine.event_payloads import as_json
from apps.chat.engine.events import Failed, Started
from apps.chat.engine.log import TurnLog
from apps.chat.engine.refused_requests import note_refused_command
from apps.chat.errors import TooManyTurns
from apps.chat.websocket.base_consumer import About, SocketConsumer
from apps.chat.websocket.commands import ChatSend, Command, TurnFollow, TurnStop, command_in
from apps.chat.websocket.connection import Ending
from apps.chat.websocket.handshake import Handshake
from apps.chat.websocket.key_revocation import key_watch
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.queries import turn_with
from apps.core.errors import ApiError, TooManyRequests, Unauthenticated
from apps.infrastructure.postgres.threads import in_thread

MOST_TURNS = 20
KEY_ENDED = Ending(4401, "API key revoked")


class ChatConsumer(SocketConsumer):
    """One socket of one API key with one chatbot."""

    caller: Caller | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.telling: dict[str, asyncio.Task[Any] | None] = {}

    async def admit(self, shown: Handshake) -> None:
        """With a key any origin may connect: the key is the proof, and no browser adds it
        unasked."""
        if shown.authorization is None:
            shown.require_own_origin()
        caller, _ = await in_thread(chatbot_for, shown.authorization, self.chatbot_id)
        self.caller = caller
        structlog.contextvars.bind_contextvars(workspace_id=caller.workspace_id)
        key_watch.subscribe(caller.api_key_id, self.key_looked_at)

    def left(self) -> None:
        if self.caller:
            key_watch.unsubscribe(self.caller.api_key_id, self.key_looked_at)

    def key_looked_at(self, has_ended: bool | None) -> None:
        """Close the socket of a key that was revoked or has expired. Turns that run go on."""
        if has_ended:
            self.socket.end(KEY_ENDED)

    def ending_after(self, error: ApiError) -> Ending | None:
        return KEY_ENDED if isinstance(error, Unauthenticated) else None

    # What is answered

    def command_in(self, words: dict[str, Any]) -> Command:
        command = command_in(words)
        # A client that follows all it may can still stop what it follows.
        most = 2 * MOST_TURNS if isinstance(command, TurnStop) else MOST_TURNS
        if self.socket.tasks >= most:
            raise TooManyTurns
        return command

    async def answer(self, command: Command, about: About) -> None:
        match command:
            case ChatSend():
                await self.chat(command, about)
            case TurnFollow():
                about["turnId"] = command.turn_id
                turn = await self.turn(command.turn_id)
                await self.tell_once(await engine.follow(turn), about, after=command.after)
            case TurnStop():
                about["turnId"] = command.turn_id
                await self.stop(command, about)

    async def chat(self, command: ChatSend, about: About) -> None:
        """Open a turn, or find the one of the idempotency key, and tell it."""
        caller, chatbot = await self.chatbot()
        key = command.asked.idempotency_key
        window = await rate_limit.admit(chatbot, idempotency_key=key)
        about["rateLimit"] = window.fields()
        if not window.admitted:
            raise TooManyRequests(window.retry_after)
        request = command.asked.of(caller, chatbot, request_id=about["xRequestId"])
        await self.tell_once(await engine.begin(request), about)

    async def stop(self, command: TurnStop, about: About) -> None:
        """Stop a turn, and tell how it ended, whoever ended it."""
        outcome = await engine.stop(await self.turn(command.turn_id))
        if isinstance(outcome, Failed):
            raise outcome.error
        ended = {"type": "turn.ended", **about, "success": True, "data": outcome.data()}
        await self.socket.say(as_json(ended))

    async def tell_once(self, turn_log: TurnLog, about: About, *, after: int = 0) -> None:
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
            await self.tell(turn_log, about, after)
        finally:
            if self.telling[turn_id] is this:
                del self.telling[turn_id]

    async def refuse(self, exception: Exception, about: About) -> None:
        note_refused_command(
            as_api_error(exception),
            self.caller,
            chatbot_id=self.chatbot_id,
            path=str(self.scope["path"]),
            about=about,
        )
        await super().refuse(exception, about)

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
