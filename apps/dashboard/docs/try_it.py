"""What the docs pages let anybody try: a message to `sandbox/echo`.

It is not a turn: nothing is written, no workspace, key or credit is touched, and no model but the
echo can be asked. What comes back has the very form of the chat endpoint's answers, because the
same functions make it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync

from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnStarted
from apps.chat.engine.request_parsing import parse_request
from apps.chat.http import sse
from apps.core.errors import TooManyRequests, ValidationFailed
from apps.core.ids import new_id
from apps.infrastructure.redis.rate_limit import RateLimit, Window, admit_sync
from apps.llm import services as llm
from apps.llm.types import ChatMessage, Finish, ModelEvent, ModelRequest, TextDelta, Timeouts, Usage

MAX_MESSAGE_LENGTH = 500
TRIES, SECONDS = 20, 60
"""How many messages one address may send in how long."""

_SECOND = Timeouts(connect=1, first_token=1, between_tokens=1, total=1)


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """The events of an answer; `streams`: whether they were asked for as a stream."""

    started: TurnStarted
    deltas: list[AnswerDelta]
    ended: TurnEnded
    streams: bool

    def as_json(self) -> dict[str, Any]:
        """The body of the JSON mode."""
        return {"success": True, "data": self.ended.data()}

    def as_stream(self) -> bytes:
        """The frames of the stream, from the first to the last."""
        events: list[TurnEvent] = [self.started, *self.deltas, self.ended]
        return (
            b"".join(sse.encode_event(at, event) for at, event in enumerate(events, 1)) + sse.DONE
        )


def check_rate_limit(address: str | None) -> Window:
    """Take a place among the tries of this address. Raises TooManyRequests."""
    window = admit_sync(RateLimit(f"docs:{address or 'unknown'}", TRIES, SECONDS))
    if not window.admitted:
        raise TooManyRequests(window.retry_after)
    return window


def answer_with_echo(body: bytes) -> EchoAnswer:
    """The answer to a body as the chat endpoint takes it. Raises ValidationFailed, or the
    serializer's error."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise ValidationFailed(message="The body is not valid JSON.") from None
    asks = parse_request(data, None, key_name="Idempotency-Key")
    if len(asks.message) > MAX_MESSAGE_LENGTH:
        problem = f"Here the message may have at most {MAX_MESSAGE_LENGTH} characters."
        raise ValidationFailed({"message": [problem]})
    return async_to_sync(_ask_echo)(asks.message, bool(asks.stream))


async def _ask_echo(message: str, streams: bool) -> EchoAnswer:
    conversation_id, message_id, turn_id = new_id(), new_id(), new_id()
    deltas: list[AnswerDelta] = []
    usage, reason = Usage(0, 0), "stop"
    request = ModelRequest(
        provider="sandbox",
        model="sandbox/echo",
        messages=(ChatMessage("user", message),),
        temperature=None,
        max_tokens=None,
        api_base="",
        api_key_env="",
        timeouts=_SECOND,
    )

    def take(event: ModelEvent) -> None:
        nonlocal usage, reason
        match event:
            case TextDelta():
                deltas.append(AnswerDelta(event.text))
            case Usage():
                usage = event
            case Finish():
                reason = event.reason

    await llm.complete(request, take)
    ended = TurnEnded(
        "".join(delta.text for delta in deltas),
        *(conversation_id, message_id, turn_id),
        reason,
        usage.input_tokens,
        usage.output_tokens,
        charged=0,
        balance=0,
    )
    return EchoAnswer(TurnStarted(conversation_id, message_id, turn_id), deltas, ended, streams)
