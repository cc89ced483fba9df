"""The WebSocket of a chatbot: parse, call the engine, format.

A socket carries several turns at once. A turn goes on if its socket closes.
"""

import asyncio
from dataclasses import replace
from typing import Any

import structlog

from apps.api_keys.attempts import limit_attempts
from apps.api_keys.errors import InvalidApiKey
from apps.api_kit.callers import Caller
from apps.chat.engine.access import Access, authenticate, reauthenticate
from apps.chat.engine.admission import admit_and_start
from apps.chat.engine.events import TurnStarted
from apps.chat.engine.key_revocation import key_poller
from apps.chat.engine.log import TurnLog
from apps.chat.engine.refused_requests import log_refused_chat
from apps.chat.engine.start import follow_turn, stop_turn
from apps.chat.errors import TooManyTurns
from apps.chat.websocket.base_consumer import FrameContext, SocketConsumer
from apps.chat.websocket.commands import ChatSend, Command, TurnFollow, TurnStop, parse_command
from apps.chat.websocket.connection import CloseReason
from apps.chat.websocket.handshake import Handshake
from apps.conversations.models import Turn
from apps.conversations.queries import get_turn
from apps.core.errors import ApiError, Unauthenticated
from apps.core.json_text import dump_json
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.web.client_address import scope_client

MAX_TURNS = 20
KEY_REVOKED = CloseReason(4401, "API key revoked", InvalidApiKey())


class ChatConsumer(SocketConsumer):
    """One socket of one API key with one chatbot."""

    caller: Caller | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.followed_turns: dict[str, asyncio.Task[Any] | None] = {}

    async def authenticate(self, handshake: Handshake) -> None:
        """With a key, any origin may connect: no browser adds a key by itself."""
        if handshake.authorization is None:
            handshake.require_own_origin()
        with limit_attempts(scope_client(self.scope), handshake.authorization):
            access = await in_thread(authenticate, handshake.authorization, self.chatbot_id)
        self.caller = access.caller
        structlog.contextvars.bind_contextvars(workspace_id=access.workspace_id)
        if self.caller:
            self.slot.identify(self.caller.api_key_id)
            key_poller.subscribe(self.caller.api_key_id, self.on_key_status)

    def on_close(self) -> None:
        if self.caller:
            key_poller.unsubscribe(self.caller.api_key_id, self.on_key_status)

    def on_key_status(self, has_ended: bool | None) -> None:
        """Close the socket of a key that was revoked or has expired. Its turns go on."""
        if has_ended:
            self.socket.request_close(KEY_REVOKED)

    def close_reason_after(self, error: ApiError) -> CloseReason | None:
        # The error has been sent already.
        is_final = isinstance(error, Unauthenticated)
        return replace(KEY_REVOKED, error=None) if is_final else None

    # Commands

    def parse_command(self, message: dict[str, Any]) -> Command:
        command = parse_command(message)
        # A client that follows as many turns as it may can still stop them.
        max_turns = 2 * MAX_TURNS if isinstance(command, TurnStop) else MAX_TURNS
        if self.socket.task_count >= max_turns:
            raise TooManyTurns
        return command

    async def handle_command(self, command: Command, context: FrameContext) -> None:
        match command:
            case ChatSend():
                await self.chat(command, context)
            case TurnFollow():
                context["turnId"] = command.turn_id
                turn = await self.get_turn(command.turn_id)
                await self.send_turn_once(await follow_turn(turn), context, after=command.after)
            case TurnStop():
                context["turnId"] = command.turn_id
                await self.stop(command, context)

    async def chat(self, command: ChatSend, context: FrameContext) -> None:
        """Start a turn, or find the one of the idempotency key, and send its events."""
        log, _ = await admit_and_start(
            await self.get_access(),
            command.request,
            request_id=context["xRequestId"],
            on_rate_limit=lambda window: context.update(rateLimit=window.fields()),
        )
        await self.send_turn_once(log, context)

    async def stop(self, command: TurnStop, context: FrameContext) -> None:
        """Stop a turn, and send how it ended, whoever ended it."""
        ended = await stop_turn(await self.get_turn(command.turn_id))
        payload = {"type": "turn.ended", **context, "success": True, "data": ended.data()}
        await self.socket.send(dump_json(payload))

    async def send_turn_once(
        self, turn_log: TurnLog, context: FrameContext, *, after: int = 0
    ) -> None:
        """Send a turn's events after number `after`, to its end.

        A turn is sent once on a socket: following it again continues from the new number.
        """
        first = turn_log.events[0]
        if isinstance(first, TurnStarted):
            context["turnId"] = first.turn_id
        turn_id = context.get("turnId", "")
        if earlier := self.followed_turns.get(turn_id):
            earlier.cancel()
        this_task = self.followed_turns[turn_id] = asyncio.current_task()
        try:
            await self.send_events(turn_log, context, after)
        finally:
            if self.followed_turns.get(turn_id) is this_task:
                del self.followed_turns[turn_id]

    async def send_error(self, exception: Exception, context: FrameContext) -> None:
        if self.caller and (request_id := context.get("xRequestId")):
            log_refused_chat(
                exception,
                caller=self.caller,
                request_id=request_id,
                method="WebSocket",
                path=str(self.scope["path"]),
                chatbot_id=self.chatbot_id,
            )
        await super().send_error(exception, context)

    # Access

    @property
    def chatbot_id(self) -> str:
        """The chatbot in the URL."""
        return str(self.scope["url_route"]["kwargs"]["chatbot_id"])

    async def get_access(self) -> Access:
        """The caller and the chatbot as they are now: both may have changed since connecting."""
        assert self.caller is not None  # noqa: S101 - commands come after authentication
        return await in_thread(reauthenticate, self.caller, self.chatbot_id)

    async def get_turn(self, turn_id: str) -> Turn:
        """The chatbot's turn. Raises TurnNotFound."""
        access = await self.get_access()
        return await in_thread(get_turn, access.workspace_id, turn_id, chatbot_id=access.chatbot.id)
