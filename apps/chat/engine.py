"""The way of a turn, the same for every edge: open, run, and a log to follow.

An edge authenticates its caller, asks `rate_limit.admit`, then calls `begin` and formats what
the log tells. No rule about money, limits or conversations lives in an edge.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from apps.chat.prompts import model_request, most_it_can_cost, prompt
from apps.chat.recorded import recorded_log
from apps.chat.running import running_turns
from apps.chat.turn_log import TurnLog
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from apps.conversations.queries import conversation_with, history_of
from apps.conversations.services import NewTurn, open_turn
from apps.core.errors import ServiceUnavailable
from apps.core.process import process
from apps.core.threads import in_thread
from apps.llm.types import ModelRequest


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a caller asks of a chatbot, whichever edge it came by."""

    workspace_id: str
    chatbot: Chatbot
    message: str
    request_id: str
    conversation_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    stream: bool | None = None
    idempotency_key: str | None = None
    api_key_id: str | None = None

    def digest(self) -> str:
        """The same for the same request: what an idempotency key is bound to."""
        said = [self.chatbot.id, self.message, self.conversation_id, self.metadata, self.stream]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


async def begin(request: ChatRequest) -> TurnLog:
    """Open the turn and set it running; or find the one that its idempotency key opened.

    Raises ConversationNotFound, InsufficientCredits, ConversationBusy, IdempotencyMismatch, or
    ServiceUnavailable when the process is stopping. Once it returns, the turn goes on whatever
    becomes of the caller.
    """
    if process.is_stopping:
        raise ServiceUnavailable
    return await _whole(_begin(request))


async def _begin(request: ChatRequest) -> TurnLog:
    turn, model = await in_thread(_open, request)
    if model is not None:
        return running_turns.start(turn, model).log
    running = running_turns.get(turn.id)
    return running.log if running else await recorded_log(turn)


async def _whole(step: Coroutine[Any, Any, TurnLog]) -> TurnLog:
    """Do a step to its end even if the caller goes away half-way: a turn that was opened is run."""
    task = asyncio.create_task(step)
    _steps.add(task)
    task.add_done_callback(_steps.discard)
    return await asyncio.shield(task)


_steps: set[asyncio.Task[TurnLog]] = set()


def _open(request: ChatRequest) -> tuple[Turn, ModelRequest | None]:
    """The turn, and what to ask the model if the turn is new."""
    chatbot, conversation, history = request.chatbot, None, []
    if request.conversation_id is not None:
        conversation = conversation_with(
            request.workspace_id, request.conversation_id, chatbot_id=chatbot.id
        )
        history = history_of(conversation, limit=chatbot.history_limit)
    messages = prompt(chatbot, history, request.message)
    turn, is_new = open_turn(
        NewTurn(
            workspace_id=request.workspace_id,
            chatbot=chatbot,
            conversation=conversation,
            text=request.message,
            credits=most_it_can_cost(chatbot, messages),
            request_id=request.request_id,
            request_digest=request.digest(),
            idempotency_key=request.idempotency_key,
            metadata=request.metadata,
            api_key_id=request.api_key_id,
        )
    )
    return turn, model_request(chatbot, messages) if is_new else None
