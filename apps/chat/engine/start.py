"""The way of a turn, the same for every edge: open, run, and a log to follow.

An edge authenticates its caller, asks `rate_limit.admit`, then calls `start_turn` and formats what
the log tells. No rule about money, limits or conversations lives in an edge.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.chat.engine.events import TurnEnded, TurnFailed
from apps.chat.engine.lead_capture import capture_lead
from apps.chat.engine.log import TurnLog
from apps.chat.engine.prompts import build_model_request, build_prompt, max_cost
from apps.chat.engine.refused_requests import log_retry
from apps.chat.engine.replay import replay_events
from apps.chat.engine.run import relay, running_turns
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.process import process
from apps.llm.types import ChatMessage, ModelRequest
from apps.turns.history import HistoryMessage, load_history
from apps.turns.open import open_turn
from apps.turns.types import NewTurn


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a caller asks of a chatbot, whichever edge it came by.

    `history`: what was said before, where the caller keeps it; the model is shown this instead
    of the stored conversation.
    """

    workspace_id: str
    chatbot: Chatbot
    message: str
    request_id: str
    conversation_id: str | None = None
    history: tuple[ChatMessage, ...] | None = None
    metadata: Mapping[str, Any] | None = None
    stream: bool | None = None
    idempotency_key: str | None = None
    api_key_id: str | None = None
    arrived: float = field(default_factory=time.monotonic)

    def digest(self) -> str:
        """The same for the same request: what an idempotency key is bound to."""
        said = [self.chatbot.id, self.message, self.conversation_id, self.metadata, self.stream]
        if self.history is not None:
            said.append([[line.role, line.content] for line in self.history])
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


async def start_turn(request: ChatRequest) -> TurnLog:
    """Open the turn and set it running; or find the one that its idempotency key opened.

    Raises ConversationNotFound, InsufficientCredits, ConversationBusy, IdempotencyMismatch, or
    ServiceUnavailable when the process is stopping. Once it returns, the turn goes on whatever
    becomes of the caller.
    """
    if process.is_stopping:
        raise ServiceUnavailable
    return await _whole(_begin(request))


async def _begin(request: ChatRequest) -> TurnLog:
    turn, model = await _open(request)
    if model is not None:
        log = running_turns.start(turn, model).log
        await capture_lead(turn, request.metadata)
        return log
    log_retry(
        workspace_id=request.workspace_id,
        request_id=request.request_id,
        api_key_id=request.api_key_id,
        chatbot_id=request.chatbot.id,
        turn_id=turn.id,
    )
    return await follow_turn(turn)


async def follow_turn(turn: Turn) -> TurnLog:
    """The turn's log, wherever it runs or ran.

    Raises ServiceUnavailable when another process runs it and Redis is away.
    """
    if here := running_turns.log_of(turn.id):
        return here
    if turn.status == TurnStatus.RUNNING:
        return await relay.follow_remote(turn)
    return TurnLog(await in_thread(replay_events, turn))


async def stop_turn(turn: Turn) -> TurnEnded | TurnFailed:
    """Stop a turn, wherever it runs, and tell how it ended; one that has ended is not changed.

    Raises ServiceUnavailable as `follow_turn` does.
    """
    if running_turns.log_of(turn.id):
        running_turns.stop(turn.id)
    elif turn.status == TurnStatus.RUNNING:
        await relay.stop(turn)
    return await (await follow_turn(turn)).outcome()


async def _whole(step: Coroutine[Any, Any, TurnLog]) -> TurnLog:
    """Do a step to its end even if the caller goes away half-way: a turn that was opened is run."""
    task = asyncio.create_task(step)
    _steps.add(task)
    task.add_done_callback(_steps.discard)
    return await asyncio.shield(task)


_steps: set[asyncio.Task[TurnLog]] = set()


async def _open(request: ChatRequest) -> tuple[Turn, ModelRequest | None]:
    """The turn, and what to ask the model if the turn is new."""
    chatbot = request.chatbot
    messages = build_prompt(chatbot, await _load_history(request), request.message)
    turn, is_new = await open_turn(
        NewTurn(
            workspace_id=request.workspace_id,
            chatbot=chatbot,
            conversation_id=request.conversation_id,
            text=request.message,
            credits=max_cost(chatbot, messages),
            request_id=request.request_id,
            request_digest=request.digest(),
            idempotency_key=request.idempotency_key,
            metadata=request.metadata,
            api_key_id=request.api_key_id,
            process=relay.name,
            queue_ms=round((time.monotonic() - request.arrived) * 1000),
        )
    )
    return turn, build_model_request(chatbot, messages) if is_new else None


async def _load_history(request: ChatRequest) -> Sequence[ChatMessage]:
    """What was said before: what the caller says was, or what is stored.

    Raises ConversationNotFound.
    """
    stored: Sequence[HistoryMessage] = ()
    if request.conversation_id is not None:
        stored = await load_history(
            request.workspace_id,
            request.conversation_id,
            chatbot_id=request.chatbot.id,
            limit=request.chatbot.history_limit if request.history is None else 0,
        )
    if request.history is not None:
        return request.history
    return [ChatMessage("user" if role == "user" else "assistant", text) for role, text in stored]
