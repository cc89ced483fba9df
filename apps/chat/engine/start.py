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
from apps.chat.engine.events import TurnEnded, TurnFailed
from apps.chat.engine.lead_capture import capture_lead
from apps.chat.engine.log import TurnLog
from apps.chat.engine.prompts import build_model_request, build_prompt, max_cost
from apps.chat.engine.refused_requests import log_retry
from apps.chat.engine.replay import replay_events
from apps.chat.engine.request_parsing import ParsedRequest
from apps.chat.engine.run import relay, running_turns
from apps.conversations.models import Turn, TurnStatus
from apps.core.errors import ServiceUnavailable
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.process import process
from apps.llm.types import ChatMessage, ModelRequest
from apps.turns.history import HistoryMessage, load_history
from apps.turns.open import open_turn
from apps.turns.types import NewTurn


async def start_turn(access: Access, request: ParsedRequest, *, request_id: str) -> TurnLog:
    """Open the turn and run it, or find the one that its idempotency key opened.

    Raises ConversationNotFound, InsufficientCredits, ConversationBusy, IdempotencyMismatch, or
    ServiceUnavailable when the process is stopping. Once it returns, the turn goes on even if the
    caller disconnects.
    """
    if process.is_stopping:
        raise ServiceUnavailable
    # Shielded, so that a turn which was opened is also run if the caller disconnects meanwhile.
    step = _start(access, request, request_id, received_at=time.monotonic())
    return await asyncio.shield(start_background_task(step, context=contextvars.copy_context()))


async def _start(
    access: Access, request: ParsedRequest, request_id: str, *, received_at: float
) -> TurnLog:
    turn, model_request = await _open(access, request, request_id, received_at=received_at)
    if model_request is not None:
        log = running_turns.start(turn, model_request).log
        await capture_lead(turn, request.metadata)
        return log
    log_retry(access, request_id=request_id, turn_id=turn.id)
    return await follow_turn(turn)


async def _open(
    access: Access, request: ParsedRequest, request_id: str, *, received_at: float
) -> tuple[Turn, ModelRequest | None]:
    """The turn, and the request to the model if the turn is new."""
    chatbot = access.chatbot
    messages = build_prompt(chatbot, await _load_history(access, request), request.message)
    turn, is_new = await open_turn(
        NewTurn(
            workspace_id=access.workspace_id,
            chatbot=chatbot,
            conversation_id=request.conversation_id,
            text=request.message,
            credits=max_cost(chatbot, messages),
            request_id=request_id,
            request_digest=request.digest(chatbot.id),
            idempotency_key=request.idempotency_key,
            metadata=request.metadata,
            api_key_id=access.api_key_id,
            process=relay.name,
            queue_ms=round((time.monotonic() - received_at) * 1000),
        )
    )
    return turn, build_model_request(chatbot, messages) if is_new else None


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
    """The log of a turn, wherever it runs or ran.

    Raises ServiceUnavailable if another process runs it and Redis is down.
    """
    if log := running_turns.log_of(turn.id):
        return log
    if turn.status == TurnStatus.RUNNING:
        return await relay.follow_remote(turn)
    return TurnLog(await in_thread(replay_events, turn))


async def stop_turn(turn: Turn) -> TurnEnded | TurnFailed:
    """Stop a turn, wherever it runs, and return how it ended. An ended turn is not changed.

    Raises ServiceUnavailable as `follow_turn` does.
    """
    if running_turns.log_of(turn.id):
        running_turns.stop(turn.id)
    elif turn.status == TurnStatus.RUNNING:
        await relay.stop(turn)
    return await (await follow_turn(turn)).outcome()


async def raise_early_failure(log: TurnLog) -> None:
    """Wait for the first text, for STREAM_START_SECONDS at most. Raises the error of a turn that
    failed before it, so that a stream which never began is answered as plain HTTP."""
    first = await log.first_event(timeout=settings.STREAM_START_SECONDS)
    if isinstance(first, TurnFailed):
        raise first.error
