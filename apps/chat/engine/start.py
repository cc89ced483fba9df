"""Start, follow and stop turns. Transports start them through `admission.admit_and_start`.

No transport holds a rule about money, limits or conversations: it authenticates its caller,
parses the request and formats the events of the turn's log.
"""

import asyncio
import contextvars
import time
from collections.abc import Sequence

from django.conf import settings

from apps.chat.engine.access import Access
from apps.chat.engine.events import LastEvent, TurnEnded, TurnFailed, TurnInterrupted
from apps.chat.engine.knowledge.passages import (
    estimate_knowledge_tokens,
    max_knowledge_tokens,
)
from apps.chat.engine.knowledge.retrieval import Retrieval, plan_retrieval
from apps.chat.engine.lead_capture import capture_lead
from apps.chat.engine.log import TurnLog
from apps.chat.engine.prompts import build_model_request, build_prompt, max_cost
from apps.chat.engine.refused_requests import log_retry
from apps.chat.engine.request_parsing import ParsedRequest
from apps.chat.engine.run import relay, running_turns, turn_process
from apps.conversations.models import Turn
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.process import process
from apps.llm.types import ChatMessage, ModelRequest
from apps.turns.history import HistoryMessage, load_history
from apps.turns.types import NewTurn


async def start_turn(access: Access, request: ParsedRequest, *, request_id: str) -> TurnLog:
    """Open the turn and run it, or find the one that its idempotency key opened.

    Raises ConversationNotFound, InsufficientCredits, ConversationBusy, IdempotencyMismatch, or
    ServiceUnavailable when the process refuses turns. Once it returns, the turn goes on even if the
    caller disconnects.
    """
    if process.refuses_turns:
        raise ServiceUnavailable
    # Shielded, so that a turn which was opened is also run if the caller disconnects meanwhile.
    step = _start(access, request, request_id, received_at=time.monotonic())
    return await asyncio.shield(start_background_task(step, context=contextvars.copy_context()))


async def _start(
    access: Access, request: ParsedRequest, request_id: str, *, received_at: float
) -> TurnLog:
    turn, model_request, retrieval = await _open(
        access, request, request_id, received_at=received_at
    )
    if model_request is not None:
        log = running_turns.start(turn, model_request, retrieval).log
        await capture_lead(turn, request.metadata)
        return log
    log_retry(access, request_id=request_id, turn_id=turn.id)
    return await follow_turn(turn)


async def _open(
    access: Access, request: ParsedRequest, request_id: str, *, received_at: float
) -> tuple[Turn, ModelRequest | None, Retrieval | None]:
    """The turn, the request to the model if the turn is new, and the turn's search for passages."""
    chatbot = access.chatbot
    uses_knowledge = access.uses_knowledge
    messages = build_prompt(
        chatbot,
        await _load_history(access, request),
        request.message,
        reserved_tokens=estimate_knowledge_tokens(chatbot) if uses_knowledge else 0,
    )
    model_request = build_model_request(chatbot, messages)  # before the turn: it may raise
    turn, is_new = await turn_process.open(
        NewTurn(
            workspace_id=access.workspace_id,
            chatbot=chatbot,
            conversation_id=request.conversation_id,
            text=request.message,
            credits=max_cost(
                chatbot,
                messages,
                reserved_tokens=max_knowledge_tokens(chatbot) if uses_knowledge else 0,
            ),
            request_id=request_id,
            request_digest=request.digest(chatbot.id),
            idempotency_key=request.idempotency_key,
            metadata=request.metadata,
            api_key_id=access.api_key_id,
            process=relay.name,
            queue_ms=round((time.monotonic() - received_at) * 1000),
        )
    )
    retrieval = plan_retrieval(access, messages) if uses_knowledge else None
    return turn, model_request if is_new else None, retrieval


async def _load_history(access: Access, request: ParsedRequest) -> Sequence[ChatMessage]:
    """The earlier messages: the caller's own, or the stored ones. Raises ConversationNotFound."""
    stored: Sequence[HistoryMessage] = ()
    if request.conversation_id is not None:
        stored = await load_history(
            access.workspace_id,
            request.conversation_id,
            chatbot_id=access.chatbot.id,
            limit=access.chatbot.history_limit if request.history is None else 0,
        )
    if request.history is not None:
        return request.history
    return [ChatMessage("user" if role == "user" else "assistant", text) for role, text in stored]


async def follow_turn(turn: Turn) -> TurnLog:
    """As `TurnProcess.follow`, in this process."""
    return await turn_process.follow(turn)


async def stop_turn(turn: Turn, *, api_key_id: str | None = None) -> TurnEnded:
    """Stop a turn, wherever it runs, and return its end. An ended turn is not changed.

    Raises the error with which it failed, or with which waiting for its end was interrupted.
    """
    return ended_or_raise(await turn_process.stop(turn, api_key_id=api_key_id))


async def wait_for_end(log: TurnLog, *, api_key_id: str | None = None) -> TurnEnded:
    """The turn's end. Raises the error with which it failed, or with which the wait was
    interrupted."""
    return ended_or_raise(await log.outcome(api_key_id=api_key_id))


def ended_or_raise(last: LastEvent) -> TurnEnded:
    """The end of a turn that has an answer. Raises the error that it ended with otherwise."""
    if isinstance(last, TurnEnded):
        return last
    raise last.error


async def raise_early_failure(log: TurnLog) -> None:
    """Wait for the first text, for STREAM_START_SECONDS at most. Raises the error of a turn that
    failed before it, so that a stream which never began is answered as plain HTTP."""
    first = await log.first_event(timeout=settings.STREAM_START_SECONDS)
    if isinstance(first, TurnFailed | TurnInterrupted):
        raise first.error
