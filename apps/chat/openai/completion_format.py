"""Format a turn as a completion of OpenAI's chat API, whole or in chunks, and its errors.

The shapes are those that the `openai` packages read: `chat.completion`, `chat.completion.chunk`,
`model` and `{"error": {message, type, param, code}}`. Our own fields are added beside them:
`metadata` with the ids of the stored conversation, turn and message, `credits` wherever `usage`
is, `knowledge` and `sources` if the turn uses knowledge, and our codes in errors.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.chat.engine.events import (
    AnswerDelta,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.chat.openai.annotations import url_citations
from apps.chatbots.models import Chatbot
from apps.core.errors import ApiError, PaymentRequired, ValidationFailed
from apps.core.json_text import dump_json
from apps.infrastructure.redis.rate_limit import Window

Body = dict[str, Any]

PATHS = r"^/api/(?:.*/)?openai(?:/|$)"
"""The paths of this protocol, and those that are taken for them."""

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
# The names of our fields in OpenAI's body.
_PARAMS = {"message": "messages", "conversationId": "metadata.conversationId"}
_PARAM_BY_CODE = {
    "CHATBOT_NOT_FOUND": "model",
    "CONVERSATION_NOT_FOUND": "metadata.conversationId",
}


def format_completion(ended: TurnEnded, *, model: str, created: int) -> Body:
    """The whole answer as a `chat.completion`. `created`: Unix seconds."""
    message: Body = {"role": "assistant", "content": ended.response, "refusal": None}
    if ended.knowledge:
        message["annotations"] = url_citations(ended)
    return {
        "id": completion_id(ended.turn_id),
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": finish_reason(ended),
            }
        ],
        **_usage(ended),
        **_knowledge(ended),
        "metadata": _ids(ended),
    }


def completion_id(turn_id: str) -> str:
    """The id of a completion: its turn's with OpenAI's prefix."""
    return f"chatcmpl-{turn_id}"


def finish_reason(ended: TurnEnded) -> str:
    """OpenAI's finish reason. It has none for a turn that the caller stopped, which is `stop`."""
    return "stop" if ended.finish_reason == "stopped" else ended.finish_reason


@dataclass(slots=True)
class ChunkEncoder:
    """Encodes one completion as a stream of chunks, its events in order from the first.

    `include_usage`: the last chunk has the usage and no choices; the others have `usage: null`.
    """

    model: str
    created: int
    include_usage: bool = False
    _common_fields: Body = field(default_factory=dict)

    def encode(self, number: int, event: TurnEvent) -> bytes:
        """One event as chunks of server-sent events."""
        return "".join(f"data: {dump_json(body)}\n\n" for body in self.bodies(event)).encode()

    def bodies(self, event: TurnEvent) -> list[Body]:
        """One event as objects: chunks, or an error."""
        match event:
            case TurnStarted():
                self._common_fields = {
                    "id": completion_id(event.turn_id),
                    "object": "chat.completion.chunk",
                    "created": self.created,
                    "model": self.model,
                }
                role = {"role": "assistant", "content": "", "refusal": None}
                return [{**self._chunk(role), "metadata": _ids(event)}]
            case AnswerDelta():
                return [self._chunk({"content": event.text})]
            case SourcesFound():
                sources = [source.data() for source in event.sources]
                return [{**self._chunk({}), "knowledge": event.knowledge, "sources": sources}]
            case TurnEnded():
                return self._end(event)
            case TurnFailed() | TurnInterrupted():
                return [error_body(event.error)]

    def _end(self, ended: TurnEnded) -> list[Body]:
        chunks = [self._chunk({}, finish_reason(ended))]
        if annotations := url_citations(ended) if ended.sources else []:
            chunks.insert(0, self._chunk({"annotations": annotations}))
        if self.include_usage:
            chunks.append({**self._common_fields, "choices": [], **_usage(ended)})
        return chunks

    def _chunk(self, delta: Body, reason: str | None = None) -> Body:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self.include_usage else {}
        return {**self._common_fields, "choices": [choice], **usage}


def _ids(event: TurnStarted | TurnEnded) -> Body:
    return {
        "conversationId": event.conversation_id,
        "turnId": event.turn_id,
        "messageId": event.message_id,
    }


def _usage(ended: TurnEnded) -> Body:
    return {
        "usage": {
            "prompt_tokens": ended.input_tokens,
            "completion_tokens": ended.output_tokens,
            "total_tokens": ended.input_tokens + ended.output_tokens,
        },
        "credits": {"charged": ended.charged, "balance": ended.balance},
    }


def _knowledge(ended: TurnEnded) -> Body:
    """What came of the search for passages, and the passages; nothing in a turn without it."""
    if not ended.knowledge:
        return {}
    data = ended.data()
    return {"knowledge": data["knowledge"], "sources": data["sources"]}


def error_body(error: ApiError) -> Body:
    """An error in OpenAI's format, with our message, our code and the figures of a 402."""
    details = error.details if isinstance(error, ValidationFailed) else {}
    details_by_param = {_PARAMS.get(name, name): sentences for name, sentences in details.items()}
    return {
        "error": {
            "message": _detail_text(details_by_param) or error.message,
            "type": _error_type(error),
            "param": next(iter(details_by_param), _PARAM_BY_CODE.get(error.code)),
            "code": error.code,
            **(error.figures() if isinstance(error, PaymentRequired) else {}),
        }
    }


def _detail_text(details: Mapping[str, Sequence[str]]) -> str:
    return " ".join(f"{name}: {' '.join(sentences)}" for name, sentences in details.items())


def _error_type(error: ApiError) -> str:
    default = "server_error" if error.status >= 500 else "invalid_request_error"
    return _TYPES.get(error.status, default)


def limit_headers(window: Window, *, now: float) -> dict[str, str]:
    """OpenAI's rate-limit headers. `now`: Unix seconds, from which they count the reset."""
    wait = max(0, math.ceil(window.reset - now))
    return {
        "x-ratelimit-limit-requests": str(window.limit),
        "x-ratelimit-remaining-requests": str(window.remaining),
        "x-ratelimit-reset-requests": f"{wait}s",
    }


def model_body(chatbot: Chatbot) -> Body:
    """A chatbot as a `model`; `name` is ours."""
    return {
        "id": chatbot.id,
        "object": "model",
        "created": int(chatbot.created_at.timestamp()),
        "owned_by": chatbot.workspace_id,
        "name": chatbot.name,
    }


def models_body(chatbots: Sequence[Chatbot]) -> Body:
    """Chatbots as a list of models. It has no further pages."""
    return {"object": "list", "data": [model_body(chatbot) for chatbot in chatbots]}
