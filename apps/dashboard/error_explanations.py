"""Each refusal in words for the member who looks it up: at which step, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from apps.api_kit.refusal_log import RefusedRequest


class RequestStage(StrEnum):
    """The step at which a request can be refused, as the page names it."""

    KEY = "API key"
    CHATBOT = "Chatbot"
    BODY = "Body"
    RATE_LIMIT = "Rate limit"
    CONVERSATION = "What it names"
    IDEMPOTENCY = "Idempotency"
    HOLD = "Hold"
    PROCESS = "Process"


STAGES = tuple(RequestStage)
"""In the order in which they are decided."""

_STAGE_BY_CODE: Mapping[str, RequestStage] = {
    "MISSING_AUTH_HEADER": RequestStage.KEY,
    "INVALID_API_KEY": RequestStage.KEY,
    "SCOPE_MISSING": RequestStage.KEY,
    "CHATBOT_NOT_FOUND": RequestStage.CHATBOT,
    "VALIDATION_ERROR": RequestStage.BODY,
    "PAYLOAD_TOO_LARGE": RequestStage.BODY,
    "UNSUPPORTED_MEDIA_TYPE": RequestStage.BODY,
    "METHOD_NOT_ALLOWED": RequestStage.BODY,
    "RATE_LIMIT_EXCEEDED": RequestStage.RATE_LIMIT,
    "IDEMPOTENCY_MISMATCH": RequestStage.IDEMPOTENCY,
    "INSUFFICIENT_CREDITS": RequestStage.HOLD,
    "SERVICE_UNAVAILABLE": RequestStage.PROCESS,
    "INTERNAL_ERROR": RequestStage.PROCESS,
}

_EXPLANATIONS: Mapping[str, str] = {
    "INVALID_API_KEY": (
        "The key had been revoked or had expired. Create a new one, or rotate keys before they end."
    ),
    "SCOPE_MISSING": "Create a key with the scope, or use one that has it.",
    "CHATBOT_NOT_FOUND": (
        "The workspace of this key has no active chatbot of the id in the address. It may "
        "be switched off, deleted, or of another workspace."
    ),
    "UNSUPPORTED_MEDIA_TYPE": "The body was not sent with Content-Type: application/json.",
    "CONVERSATION_NOT_FOUND": (
        "The conversation that it names is not one of this chatbot. Leave conversationId "
        "out to begin a new one."
    ),
    "CONVERSATION_BUSY": (
        "Another turn was running in the conversation. Wait for its end, or stop it."
    ),
    "IDEMPOTENCY_MISMATCH": (
        "The Idempotency-Key had been used with another body or chatbot in the last 24 "
        "hours. Use a new key for a new request."
    ),
    "SERVICE_UNAVAILABLE": (
        "The process was stopping, or a part that it needs was away. Nothing was charged; "
        "the same request may pass now."
    ),
    "INTERNAL_ERROR": "A fault of ours. Nothing was charged. Quote the request id to support.",
    "MODEL_ERROR": "the model failed",
    "MODEL_UNAVAILABLE": "the model was overloaded or out of reach",
    "MODEL_TIMEOUT": "the model took too long",
    "TURN_ABANDONED": "the process that ran the turn died",
}


def stage_for(code: str) -> RequestStage:
    """The step that refuses with this code."""
    return _STAGE_BY_CODE.get(code, RequestStage.CONVERSATION)


def explain(code: str, note: RefusedRequest | None = None) -> str:
    """Why, and what to do."""
    if note is None:
        return _EXPLANATIONS.get(code, code)
    match code:
        case "RATE_LIMIT_EXCEEDED":
            return _explain_rate_limit(note)
        case "INSUFFICIENT_CREDITS":
            return _explain_insufficient_credits(note)
        case "VALIDATION_ERROR" if note.details:
            return " ".join(f"{name}: {' '.join(said)}" for name, said in note.details.items())
        case _:
            return " ".join(filter(None, (_end_sentence(note.error), _EXPLANATIONS.get(code))))


def _explain_rate_limit(note: RefusedRequest) -> str:
    whose = "chatbot's window" if note.chatbot_id else "key's hour"
    told = f"The {whose} was full"
    if note.limit is not None:
        told += f": {note.limit:,} of {note.limit:,} requests counted"
    if note.reset is not None:
        told += f" until {datetime.fromtimestamp(note.reset, UTC):%H:%M:%S} UTC"
    if note.retry_after is not None:
        told += f". It was told to come back after {note.retry_after:,} s"
    return f"{told}. Wait as long as Retry-After says, or allow more requests."


def _explain_insufficient_credits(note: RefusedRequest) -> str:
    told = "The free credits (balance less held) did not cover the most that the turn could cost"
    if note.needed is not None:
        told += f": {note.needed:,}"
    return f"{told}. Buy credits, or lower the chatbot's reply limit."


def _end_sentence(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
