"""Try it: anyone can send a message to the model `sandbox/echo` from the docs pages.

No turn is opened: nothing is written, and no key or credits are needed. The response is encoded by
the functions of the chat endpoint, so it looks the same.
"""

from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync

from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnStarted
from apps.chat.engine.request_parsing import parse_request
from apps.chat.http import sse
from apps.core.errors import TooManyRequests, ValidationFailed
from apps.core.ids import new_id
from apps.core.json_parsing import parse_json
from apps.infrastructure.redis.rate_limit import RateLimit, Window, admit_sync
from apps.llm import services as llm
from apps.llm.types import ChatMessage, ModelRequest, TextDelta, Timeouts

MAX_MESSAGE_LENGTH = 500
MAX_MESSAGES, WINDOW_SECONDS = 20, 60
"""The rate limit of one address."""

_TIMEOUTS = Timeouts(connect=1, first_token=1, between_tokens=1, total=1)


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """The events of an answer. `is_stream`: whether the request asked for a stream."""

    started: TurnStarted
    deltas: list[AnswerDelta]
    ended: TurnEnded
    is_stream: bool

    def as_json(self) -> dict[str, Any]:
        """The body of the JSON mode."""
        return {"success": True, "data": self.ended.data()}

    def as_stream(self) -> bytes:
        """The body of the stream, with all its frames."""
        events: list[TurnEvent] = [self.started, *self.deltas, self.ended]
        frames = [sse.encode_event(number, event) for number, event in enumerate(events, 1)]
        return b"".join(frames) + sse.DONE


def check_rate_limit(client: str) -> Window:
    """Count a message of the client (`limit_subject`). Raises TooManyRequests."""
    window = admit_sync(RateLimit(f"docs:{client}", MAX_MESSAGES, WINDOW_SECONDS))
    if not window.admitted:
        raise TooManyRequests(window.retry_after)
    return window


def answer(body: bytes) -> EchoAnswer:
    """Answer a chat request's body. Raises ValidationFailed or a serializer's ValidationError."""
    parsed = parse_request(parse_json(body), None, key_name="Idempotency-Key")
    if len(parsed.message) > MAX_MESSAGE_LENGTH:
        problem = f"Here the message may have at most {MAX_MESSAGE_LENGTH} characters."
        raise ValidationFailed({"message": [problem]})
    return async_to_sync(_complete)(parsed.message, bool(parsed.stream))


async def _complete(message: str, is_stream: bool) -> EchoAnswer:
    conversation_id, message_id, turn_id = new_id(), new_id(), new_id()
    deltas: list[AnswerDelta] = []
    request = ModelRequest(
        provider="sandbox",
        model="sandbox/echo",
        messages=(ChatMessage("user", message),),
        temperature=None,
        max_tokens=None,
        api_base="",
        api_key_env="",
        timeouts=_TIMEOUTS,
    )

    def on_delta(delta: TextDelta) -> None:
        deltas.append(AnswerDelta(delta.text))

    completion = llm.Completion(request, on_delta)
    await completion.run()
    usage = completion.usage
    ended = TurnEnded(
        "".join(delta.text for delta in deltas),
        *(conversation_id, message_id, turn_id),
        completion.finish_reason,
        usage.input_tokens,
        usage.output_tokens,
        charged=0,
        balance=0,
    )
    return EchoAnswer(TurnStarted(conversation_id, message_id, turn_id), deltas, ended, is_stream)
