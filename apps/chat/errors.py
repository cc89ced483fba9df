"""Errors of the chat endpoint. They extend the tree of `apps.core.errors`."""

from apps.core.errors import (
    ApiError,
    BadGateway,
    Conflict,
    Forbidden,
    GatewayTimeout,
    InternalError,
    ServiceUnavailable,
)
from apps.llm import errors as llm


class ModelError(BadGateway):
    code = "MODEL_ERROR"
    message = "The language model failed to answer. Nothing was charged."


class ModelUnavailable(ServiceUnavailable):
    code = "MODEL_UNAVAILABLE"
    message = "The language model is not available at the moment. Nothing was charged."


class ModelTimeout(GatewayTimeout):
    code = "MODEL_TIMEOUT"
    message = "The language model took too long to answer. Nothing was charged."


class KnowledgeUnavailable(ServiceUnavailable):
    code = "KNOWLEDGE_UNAVAILABLE"
    message = (
        "The chatbot answers only from its knowledge, which cannot be searched at the moment. "
        "Nothing was charged."
    )


class ReplyLimitReached(ApiError):
    """The model thought until its limit was reached, and had not begun to answer.

    A limit of ours cut it, so what it read and thought is charged. Not a 5xx: clients repeat those.
    """

    status = 422
    code = "REPLY_LIMIT_REACHED"
    message = (
        "The reply limit was reached while the model was thinking, before it began to answer. "
        "Raise the chatbot's limit, or ask for less. The tokens it used were charged."
    )


class TurnAbandoned(ServiceUnavailable):
    """The process that ran the turn died, or lost the database for too long."""

    code = "TURN_ABANDONED"
    message = (
        "The reply was cut short by a fault on our side. Only what was saved of it is charged."
    )


class OriginNotAllowed(Forbidden):
    """A page of another site opened a WebSocket without an API key."""

    code = "ORIGIN_NOT_ALLOWED"
    message = "Pages of this origin may connect only with an API key."


class TooManyTurns(Conflict):
    code = "TOO_MANY_TURNS"
    message = "Too many turns are followed on this socket. Wait for one, or open another socket."


class SlowReader(ApiError):
    """A WebSocket client reads more slowly than its turns produce. The turns go on."""

    status = 408
    code = "SLOW_READER"
    message = "You read too slowly. Connect again and go on with turn.follow."


_BY_CODE: dict[str, type[ApiError]] = {
    error.code: error
    for error in (
        ModelError,
        ModelUnavailable,
        ModelTimeout,
        KnowledgeUnavailable,
        ReplyLimitReached,
        TurnAbandoned,
        ServiceUnavailable,
        InternalError,
    )
}


def error_from_model_failure(failure: llm.ProviderError) -> ApiError:
    """The error to return to a caller when the model failed."""
    match failure:
        case llm.ProviderTimeout():
            return ModelTimeout()
        case llm.ProviderUnavailable():
            error = ModelUnavailable()
            if failure.retry_after:
                error.retry_after = max(1, round(failure.retry_after))
            return error
        case _:
            return ModelError()


def error_from_empty_answer(finish_reason: str) -> ApiError | None:
    """The error of a completion without text; None if it is an answer all the same."""
    match finish_reason:
        case "content_filter":
            return None
        case "length":
            return ReplyLimitReached()
        case _:
            return ModelError()


def error_from_code(code: str) -> ApiError:
    """The error with which a turn was settled."""
    return _BY_CODE.get(code, InternalError)()
