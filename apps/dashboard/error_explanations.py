"""Explanations of API errors for the request inspector: stage, reason and remedy."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from apps.api_kit.refusal_log import RefusedRequest


class RequestStage(StrEnum):
    """A stage at which a request can be refused, with the name that the page shows."""

    KEY = "API key"
    CHATBOT = "Chatbot"
    BODY = "Request body"
    RATE_LIMIT = "Rate limit"
    CONVERSATION = "Conversation"
    IDEMPOTENCY = "Idempotency"
    HOLD = "Credits"
    PROCESS = "Server"


STAGES = tuple(RequestStage)
"""The stages in the order in which they are checked."""

_STAGE_BY_CODE: Mapping[str, RequestStage] = {
    "MISSING_AUTH_HEADER": RequestStage.KEY,
    "INVALID_API_KEY": RequestStage.KEY,
    "SCOPE_MISSING": RequestStage.KEY,
    "CHATBOT_NOT_FOUND": RequestStage.CHATBOT,
    "VALIDATION_ERROR": RequestStage.BODY,
    "REQUEST_TIMEOUT": RequestStage.BODY,
    "PAYLOAD_TOO_LARGE": RequestStage.BODY,
    "URL_TOO_LONG": RequestStage.BODY,
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
    "KNOWLEDGE_UNAVAILABLE": "the knowledge of the chatbot could not be searched",
    "MODEL_UNAVAILABLE": "the model was overloaded or unreachable",
    "MODEL_TIMEOUT": "the model timed out",
    "REPLY_LIMIT_REACHED": "the model used up the reply limit while thinking",
    "TURN_ABANDONED": "the server stopped during the response",
}


def stage_for(code: str) -> RequestStage:
    """The stage that refuses requests with this error code."""
    return _STAGE_BY_CODE.get(code, RequestStage.CONVERSATION)


def explain(code: str, refused: RefusedRequest | None = None) -> str:
    """Explain an error code: the reason and what to do. `refused` adds the request's figures."""
    if refused is None:
        return _EXPLANATIONS.get(code, code)
    match code:
        case "RATE_LIMIT_EXCEEDED":
            return _explain_rate_limit(refused)
        case "INSUFFICIENT_CREDITS":
            return _explain_insufficient_credits(refused)
        case "VALIDATION_ERROR" if refused.details:
            return " ".join(
                f"{name}: {' '.join(problems)}" for name, problems in refused.details.items()
            )
        case _:
            return " ".join(filter(None, (_end_sentence(refused.error), _EXPLANATIONS.get(code))))


_OF_WORKSPACE = ("This workspace", "The keys of this workspace")
"""How the errors begin that are about a limit of the server, which the workspace cannot raise."""


def _explain_rate_limit(refused: RefusedRequest) -> str:
    if refused.error.startswith(_OF_WORKSPACE):
        return f"{refused.error} Ask us if you need more."
    limit = "chatbot's rate limit" if refused.chatbot_id else "API key's hourly limit"
    text = f"The {limit} was reached"
    if refused.limit is not None:
        text += f": {refused.limit:,} of {refused.limit:,} requests used"
    if refused.reset is not None:
        text += f", resets at {datetime.fromtimestamp(refused.reset, UTC):%H:%M:%S} UTC"
    if refused.retry_after is not None:
        text += f". Retry-After was {refused.retry_after:,} s"
    return f"{text}. Wait for the limit to reset, or raise it."


def _explain_insufficient_credits(refused: RefusedRequest) -> str:
    text = "The available credits didn't cover the maximum cost of the response"
    if refused.needed is not None:
        available = "" if refused.available is None else f", {refused.available:,} available"
        text += f" ({refused.needed:,} credits{available})"
    return f"{text}. Add credits, or lower the chatbot's max reply length."


def _end_sentence(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
