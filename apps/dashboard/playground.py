"""Chat in the playground: the chat engine for a signed-in member.

Limits, prices and errors are those of the API. Two things differ: a member is the caller, not an
API key; and the chatbot may be inactive or have unsaved changes.
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
"""The `metadata.source` of its messages, by which lists tell them from those of visitors."""


def build_chat_request(
    chatbot: Chatbot, fields: Mapping[str, str], *, request_id: str
) -> ChatRequest:
    """Build a request from the form's `message` and `conversationId`. Raises ValidationError."""
    body = {
        "message": fields.get("message", ""),
        "conversationId": fields.get("conversationId") or None,
    }
    parsed = parse_request(body, None, key_name="")
    return ChatRequest(
        workspace_id=chatbot.workspace_id,
        chatbot=chatbot,
        message=parsed.message,
        request_id=request_id,
        conversation_id=parsed.conversation_id,
        metadata={"source": SOURCE},
        stream=True,
    )


async def start_playground_turn(request: ChatRequest) -> TurnLog:
    """Start a turn and wait for its first event.

    Raises TooManyRequests, the errors of `start_turn`, or the error of a turn that failed first.
    """
    window = await rate_limit.admit(request.chatbot)
    if not window.admitted:
        raise TooManyRequests(window.retry_after)
    log = await start_turn(request)
    first = await log.first_event(timeout=settings.STREAM_START_SECONDS)
    if isinstance(first, TurnFailed):
        raise first.error
    return log


async def sse_frames(log: TurnLog) -> AsyncIterator[bytes]:
    """Encode the turn's events as server-sent events, like the chat endpoint."""
    number = 0
    async for events in log.follow(idle_seconds=settings.STREAM_HEARTBEAT_SECONDS):
        frames = [sse.encode_event(number + i, event) for i, event in enumerate(events, 1)]
        number += len(frames)
        yield b"".join(frames) or sse.HEARTBEAT
    yield sse.DONE
