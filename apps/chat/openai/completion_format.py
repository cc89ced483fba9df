"""A turn as a completion of OpenAI's chat API, whole or in chunks, and its errors.

The shapes are those that the `openai` packages read: `chat.format_completion`,
`chat.completion.chunk`, `model` and `{"error": {message, type, param, code}}`. What is ours is
added beside them: `metadata` with the ids of the stored conversation, turn and message, `credits`
wherever `usage` is, and our codes in errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.chat.engine.event_payloads import dump_json
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted
from apps.chatbots.models import Chatbot
from apps.core.errors import ApiError, ValidationFailed
from apps.infrastructure.redis.rate_limit import Window

Body = dict[str, Any]

_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
}
# What our fields are called in OpenAI's body.
_PARAMS = {"message": "messages", "conversationId": "metadata.conversationId"}
_PARAM_OF_CODE = {
    "CHATBOT_NOT_FOUND": "model",
    "CONVERSATION_NOT_FOUND": "metadata.conversationId",
}


def format_completion(ended: TurnEnded, *, model: str, created: int) -> Body:
    """The whole answer as a `chat.format_completion`. `created`: Unix seconds."""
    message = {"role": "assistant", "content": ended.response, "refusal": None}
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
        "metadata": _ids(ended),
    }


def completion_id(turn_id: str) -> str:
    """The id of a completion: its turn's, marked as OpenAI marks them."""
    return f"chatcmpl-{turn_id}"


def finish_reason(ended: TurnEnded) -> str:
    """Why the answer ends. A turn that was stopped ended early by wish, which has no other name."""
    return "stop" if ended.finish_reason == "stopped" else ended.finish_reason


@dataclass(slots=True)
class ChunkEncoder:
    """One completion as a stream. `encode` writes its events in order, from the first.

    `include_usage`: after the last choice comes a chunk without choices and with the usage; the
    others say `usage: null`, as OpenAI's do.
    """

    model: str
    created: int
    include_usage: bool = False
    _about: Body = field(default_factory=dict)

    def encode(self, number: int, event: TurnEvent) -> bytes:
        """One event as the chunks that tell it."""
        return "".join(f"data: {dump_json(body)}\n\n" for body in self.bodies(event)).encode()

    def bodies(self, event: TurnEvent) -> list[Body]:
        """One event as objects: chunks, or an error."""
        match event:
            case TurnStarted():
                self._about = {
                    "id": completion_id(event.turn_id),
                    "object": "chat.completion.chunk",
                    "created": self.created,
                    "model": self.model,
                }
                role = {"role": "assistant", "content": "", "refusal": None}
                return [{**self._chunk(role), "metadata": _ids(event)}]
            case AnswerDelta():
                return [self._chunk({"content": event.text})]
            case TurnEnded():
                last = self._chunk({}, finish_reason(event))
                usage = {**self._about, "choices": [], **_usage(event)}
                return [last, usage] if self.include_usage else [last]
            case TurnFailed():
                return [error_body(event.error)]

    def _chunk(self, delta: Body, reason: str | None = None) -> Body:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        usage = {"usage": None} if self.include_usage else {}
        return {**self._about, "choices": [choice], **usage}


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


def error_body(error: ApiError) -> Body:
    """An error in OpenAI's shape, with our sentence and our code."""
    details = error.details if isinstance(error, ValidationFailed) else {}
    named = {_PARAMS.get(name, name): sentences for name, sentences in details.items()}
    return {
        "error": {
            "message": _detail_text(named) or error.message,
            "type": _type_of(error),
            "param": next(iter(named), _PARAM_OF_CODE.get(error.code)),
            "code": error.code,
        }
    }


def _detail_text(details: Mapping[str, Sequence[str]]) -> str:
    return " ".join(f"{name}: {' '.join(sentences)}" for name, sentences in details.items())


def _type_of(error: ApiError) -> str:
    usual = "server_error" if error.status >= 500 else "invalid_request_error"
    return _TYPES.get(error.status, usual)


def limit_headers(window: Window, *, now: float) -> dict[str, str]:
    """The chatbot's limit in OpenAI's headers, which count the reset from `now`, Unix seconds."""
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
    """Chatbots as a list of models, whole: there are no further pages."""
    return {"object": "list", "data": [model_body(chatbot) for chatbot in chatbots]}
