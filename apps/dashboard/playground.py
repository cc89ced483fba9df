"""The playground: an edge of the chat engine for a member who is signed in.

The engine, its limits and its prices are those of every other edge. It differs in who asks (a
member, not a key) and in what may be asked: a chatbot that is switched off, or one with changes
that are not saved.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from django.conf import settings

from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine.events import TurnFailed
from apps.chat.engine.log import TurnLog
from apps.chat.engine.request_parsing import parse_request
from apps.chat.engine.start import ChatRequest, start_turn
from apps.chat.http import sse
from apps.chatbots.models import Chatbot
from apps.core.errors import TooManyRequests

SOURCE = "playground"
"""What `metadata.source` of its messages says, so that lists can tell them from visitors'."""


def build_chat_request(
    chatbot: Chatbot, said: Mapping[str, str], *, request_id: str
) -> ChatRequest:
    """What a member's `message` and `conversationId` ask. Raises DRF's ValidationError."""
    body = {
        "message": said.get("message", ""),
        "conversationId": said.get("conversationId") or None,
    }
    asks = parse_request(body, None, key_name="")
    return ChatRequest(
        workspace_id=chatbot.workspace_id,
        chatbot=chatbot,
        message=asks.message,
        request_id=request_id,
        conversation_id=asks.conversation_id,
        metadata={"source": SOURCE},
        stream=True,
    )


async def start_turn(request: ChatRequest) -> TurnLog:
    """Begin the turn. Raises what the engine raises, TooManyRequests, or the error of a turn that
    failed before its first word."""
    window = await rate_limit.admit(request.chatbot)
    if not window.admitted:
        raise TooManyRequests(window.retry_after)
    log = await start_turn(request)
    first = await log.first_event(timeout=settings.STREAM_START_SECONDS)
    if isinstance(first, TurnFailed):
        raise first.error
    return log


async def sse_frames(log: TurnLog) -> AsyncIterator[bytes]:
    """The turn's events as server-sent events, those of the chat endpoint."""
    number = 0
    async for events in log.follow(idle_seconds=settings.STREAM_HEARTBEAT_SECONDS):
        told = [sse.encode_event(number + place, event) for place, event in enumerate(events, 1)]
        number += len(told)
        yield b"".join(told) or sse.HEARTBEAT
    yield sse.DONE
