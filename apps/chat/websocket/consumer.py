"""The WebSocket of a chatbot: parse, call the engine, format. No rule about chatting lives here.

Several turns are told side by side; a turn goes on whatever becomes of the socket.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from apps.api_kit.callers import Caller
from apps.api_kit.error_format import as_api_error
from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine import start as engine
from apps.chat.engine.access import authenticate, reauthenticate
from apps.chat.engine.event_payloads import dump_json
from apps.chat.engine.events import TurnFailed, TurnStarted
from apps.chat.engine.log import TurnLog
from apps.chat.engine.refused_requests import log_refused_command
from apps.chat.errors import TooManyTurns
from apps.chat.websocket.base_consumer import FrameContext, SocketConsumer
from apps.chat.websocket.commands import ChatSend, Command, TurnFollow, TurnStop, parse_command
from apps.chat.websocket.connection import CloseReason
from apps.chat.websocket.handshake import Handshake
from apps.chat.websocket.key_revocation import key_poller
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.queries import get_turn
from apps.core.errors import ApiError, TooManyRequests, Unauthenticated
from apps.infrastructure.postgres.threads import in_thread

MAX_TURNS = 20
KEY_REVOKED = CloseReason(4401, "API key revoked")


class ChatConsumer(SocketConsumer):
    """One socket of one API key with one chatbot."""

    caller: Caller | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.followed_turns: dict[str, asyncio.Task[Any] | None] = {}

    async def admit(self, shown: Handshake) -> None:
        """With a key any origin may connect: the key is the proof, and no browser adds it
        unasked."""
        if shown.authorization is None:
            shown.require_own_origin()
        caller, _ = await in_thread(authenticate, shown.authorization, self.chatbot_id)
        self.caller = caller
        structlog.contextvars.bind_contextvars(workspace_id=caller.workspace_id)
        key_poller.subscribe(caller.api_key_id, self.on_key_status)

    def left(self) -> None:
        if self.caller:
            key_poller.unsubscribe(self.caller.api_key_id, self.on_key_status)

    def on_key_status(self, has_ended: bool | None) -> None:
        """Close the socket of a key that was revoked or has expired. Turns that run go on."""
        if has_ended:
            self.socket.request_close(KEY_REVOKED)

    def ending_after(self, error: ApiError) -> CloseReason | None:
        return KEY_REVOKED if isinstance(error, Unauthenticated) else None

    # What is answered

    def command_in(self, words: dict[str, Any]) -> Command:
        command = parse_command(words)
        # A client that follows all it may can still stop what it follows.
        most = 2 * MAX_TURNS if isinstance(command, TurnStop) else MAX_TURNS
        if self.socket.task_count >= most:
            raise TooManyTurns
        return command

    async def answer(self, command: Command, about: FrameContext) -> None:
        match command:
            case ChatSend():
                await self.chat(command, about)
            case TurnFollow():
                about["turnId"] = command.turn_id
                turn = await self.get_turn(command.turn_id)
                await self.send_turn_once(
                    await engine.follow_turn(turn), about, after=command.after
                )
            case TurnStop():
                about["turnId"] = command.turn_id
                await self.stop(command, about)

    async def chat(self, command: ChatSend, about: FrameContext) -> None:
        """Open a turn, or find the one of the idempotency key, and tell it."""
        caller, chatbot = await self.get_chatbot()
        key = command.asked.idempotency_key
        window = await rate_limit.admit(chatbot, idempotency_key=key)
        about["rateLimit"] = window.fields()
        if not window.admitted:
            raise TooManyRequests(window.retry_after)
        request = command.asked.of(caller, chatbot, request_id=about["xRequestId"])
        await self.send_turn_once(await engine.start_turn(request), about)

    async def stop(self, command: TurnStop, about: FrameContext) -> None:
        """Stop a turn, and tell how it ended, whoever ended it."""
        outcome = await engine.stop_turn(await self.get_turn(command.turn_id))
        if isinstance(outcome, TurnFailed):
            raise outcome.error
        ended = {"type": "turn.ended", **about, "success": True, "data": outcome.data()}
        await self.socket.send(dump_json(ended))

    async def send_turn_once(
        self, turn_log: TurnLog, about: FrameContext, *, after: int = 0
    ) -> None:
        """Send a turn's events after a number, to its end. A turn is told once on a socket: who
        asks again for the same one goes on from there instead."""
        first = turn_log.events[0]
        if isinstance(first, TurnStarted):
            about["turnId"] = first.turn_id
        turn_id = about.get("turnId", "")
        if earlier := self.followed_turns.get(turn_id):
            earlier.cancel()
        this = self.followed_turns[turn_id] = asyncio.current_task()
        try:
            await self.send_events(turn_log, about, after)
        finally:
            if self.followed_turns[turn_id] is this:
                del self.followed_turns[turn_id]

    async def refuse(self, exception: Exception, about: FrameContext) -> None:
        log_refused_command(
            as_api_error(exception),
            self.caller,
            chatbot_id=self.chatbot_id,
            path=str(self.scope["path"]),
            about=about,
        )
        await super().send_error(exception, about)

    # What is asked of access

    @property
    def chatbot_id(self) -> str:
        """The chatbot of the address."""
        return str(self.scope["url_route"]["kwargs"]["chatbot_id"])

    async def get_chatbot(self) -> tuple[Caller, Chatbot]:
        """The caller and the chatbot as they are now: settings may have changed meanwhile."""
        assert self.caller is not None  # noqa: S101 - nothing is received before it is known
        return await in_thread(reauthenticate, self.caller, self.chatbot_id)

    async def get_turn(self, turn_id: str) -> Turn:
        """The chatbot's turn. Raises TurnNotFound."""
        caller, chatbot = await self.get_chatbot()
        return await in_thread(get_turn, caller.workspace_id, turn_id, chatbot_id=chatbot.id)
