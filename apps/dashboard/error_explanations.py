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
    BODY = "Request body"
    RATE_LIMIT = "Rate limit"
    CONVERSATION = "Conversation"
    IDEMPOTENCY = "Idempotency"
    HOLD = "Credits"
    PROCESS = "Server"


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
    "INVALID_API_KEY": ("The key was revoked or has expired. Create a new key."),
    "SCOPE_MISSING": "Use a key with this permission, or create one.",
    "CHATBOT_NOT_FOUND": (
        "This workspace has no active chatbot with the ID in the URL. It may be inactive, "
        "deleted, or in another workspace."
    ),
    "UNSUPPORTED_MEDIA_TYPE": "Send the body with Content-Type: application/json.",
    "CONVERSATION_NOT_FOUND": (
        "The conversation doesn't belong to this chatbot. Leave out conversationId to "
        "start a new one."
    ),
    "CONVERSATION_BUSY": (
        "Another response was in progress in this conversation. Wait for it, or stop it."
    ),
    "IDEMPOTENCY_MISMATCH": (
        "The Idempotency-Key was used with a different body or chatbot in the last 24 "
        "hours. Use a new key for each new request."
    ),
    "SERVICE_UNAVAILABLE": (
        "The server was restarting, or a service it needs was unavailable. Nothing was "
        "charged. Try the request again."
    ),
    "INTERNAL_ERROR": (
        "An error on our side. Nothing was charged. Contact support with the request ID."
    ),
    "MODEL_ERROR": "the model failed",
    "MODEL_UNAVAILABLE": "the model was overloaded or unreachable",
    "MODEL_TIMEOUT": "the model timed out",
    "TURN_ABANDONED": "the server stopped during the response",
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
    whose = "chatbot's rate limit" if note.chatbot_id else "API key's hourly limit"
    told = f"The {whose} was reached"
    if note.limit is not None:
        told += f": {note.limit:,} of {note.limit:,} requests used"
    if note.reset is not None:
        told += f", resets at {datetime.fromtimestamp(note.reset, UTC):%H:%M:%S} UTC"
    if note.retry_after is not None:
        told += f". Retry-After was {note.retry_after:,} s"
    return f"{told}. Retry after that, or raise the limit."


def _explain_insufficient_credits(note: RefusedRequest) -> str:
    told = "The available credits didn't cover the maximum cost of the response"
    if note.needed is not None:
        told += f" ({note.needed:,} credits)"
    return f"{told}. Add credits, or lower the chatbot's max reply length."


def _end_sentence(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
