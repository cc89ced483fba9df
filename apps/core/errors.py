"""The base classes of the errors that API callers can get. Apps add their own subclasses.

    ApiError                     status  code
    ├── ValidationFailed         400     VALIDATION_ERROR      with details by field
    ├── Unauthenticated          401     MISSING_AUTH_HEADER, INVALID_API_KEY
    ├── PaymentRequired          402     INSUFFICIENT_CREDITS  with needed and available
    ├── Forbidden                403     SCOPE_MISSING, ORIGIN_NOT_ALLOWED
    ├── NotFound                 404     NOT_FOUND, CHATBOT_NOT_FOUND, CONVERSATION_NOT_FOUND,
    │                                    TURN_NOT_FOUND, LEAD_NOT_FOUND,
    │                                    WEBHOOK_ENDPOINT_NOT_FOUND, WEBHOOK_DELIVERY_NOT_FOUND
    ├── MethodNotAllowed         405     METHOD_NOT_ALLOWED
    ├── RequestTimeout           408     REQUEST_TIMEOUT
    ├── SlowReader               408     SLOW_READER           WebSockets only
    ├── Conflict                 409     CONVERSATION_BUSY, IDEMPOTENCY_MISMATCH, TOO_MANY_TURNS,
    │                                    LEAD_EMAIL_TAKEN, API_KEY_ENDED,
    │                                    WEBHOOK_ENDPOINT_DISABLED, TOO_MANY_WEBHOOK_ENDPOINTS
    ├── PayloadTooLarge          413     PAYLOAD_TOO_LARGE
    ├── UrlTooLong               414     URL_TOO_LONG
    ├── UnsupportedMediaType     415     UNSUPPORTED_MEDIA_TYPE
    ├── ReplyLimitReached        422     REPLY_LIMIT_REACHED
    ├── TooManyRequests          429     RATE_LIMIT_EXCEEDED   with retryAfter in the body
    ├── InternalError            500     INTERNAL_ERROR
    ├── BadGateway               502     MODEL_ERROR
    ├── ServiceUnavailable       503     SERVICE_UNAVAILABLE, MODEL_UNAVAILABLE, TURN_ABANDONED
    └── GatewayTimeout           504     MODEL_TIMEOUT

An error can be raised anywhere. Each transport converts it in one place, with `body()` and
`headers()`, so that all transports return the same format.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Details = Mapping[str, Sequence[str]]


class ApiError(Exception):
    """An error with a status, a code and a message for the caller."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    message: str = "Something went wrong on our side. Quote the request id to support."
    retry_after: int | None = None
    caller: tuple[str, str] | None = None
    """The ids of workspace and API key of the refused request, where only the raising code knows
    them. They are logged for the members of the workspace and never sent."""

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.message
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """The JSON body of the response."""
        return {"success": False, "error": self.message, "code": self.code}

    def headers(self) -> dict[str, str]:
        """The HTTP headers of the response."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


class ValidationFailed(ApiError):
    """The request is not valid. `details`: field → messages."""

    status = 400
    code = "VALIDATION_ERROR"
    message = "The request is not valid. See details."

    def __init__(self, details: Details | None = None, message: str | None = None) -> None:
        super().__init__(message)
        self.details: Details = details or {}

    def body(self) -> dict[str, Any]:
        return {**super().body(), "details": {k: list(v) for k, v in self.details.items()}}


class Unauthenticated(ApiError):
    status = 401

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="Parley"'}


class PaymentRequired(ApiError):
    """`needed`: the credits that the request would hold at most; `available`: those that are free.
    Both are in the body if they are known."""

    status = 402

    def __init__(
        self,
        message: str | None = None,
        *,
        needed: int | None = None,
        available: int | None = None,
    ) -> None:
        super().__init__(message)
        self.needed = needed
        self.available = available

    def figures(self) -> dict[str, int]:
        """The credits that are known, as fields of the body."""
        known = {"needed": self.needed, "available": self.available}
        return {name: credits for name, credits in known.items() if credits is not None}

    def body(self) -> dict[str, Any]:
        return {**super().body(), **self.figures()}


class Forbidden(ApiError):
    status = 403


class NotFound(ApiError):
    status = 404
    code = "NOT_FOUND"
    message = "There is nothing at this address."


class MethodNotAllowed(ApiError):
    status = 405
    code = "METHOD_NOT_ALLOWED"
    message = "This address does not take that method."

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        super().__init__(f"{self.message} It takes {', '.join(allowed)}." if allowed else None)
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        return {"Allow": ", ".join(self.allowed)} if self.allowed else {}


class Conflict(ApiError):
    status = 409


class IdempotencyMismatch(Conflict):
    code = "IDEMPOTENCY_MISMATCH"
    message = "This Idempotency-Key was used with another request. Use a new key."


class RequestTimeout(ApiError):
    status = 408
    code = "REQUEST_TIMEOUT"
    message = "The request body arrived too slowly."


class PayloadTooLarge(ApiError):
    status = 413
    code = "PAYLOAD_TOO_LARGE"
    message = "The request body is too large."


class UrlTooLong(ApiError):
    status = 414
    code = "URL_TOO_LONG"
    message = "This address is too long."


class UnsupportedMediaType(ApiError):
    status = 415
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "Send the body as JSON, with the header Content-Type: application/json."


class TooManyRequests(ApiError):
    """A rate limit is exceeded. `retry_after`: whole seconds, at least 1, until the next try."""

    status = 429
    code = "RATE_LIMIT_EXCEEDED"
    message = "Rate limit exceeded. Please wait before sending another message."

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = max(1, retry_after)

    def body(self) -> dict[str, Any]:
        return {**super().body(), "retryAfter": self.retry_after}


class InternalError(ApiError):
    """An unexpected error. Its traceback is logged under the request id and never sent."""


class BadGateway(ApiError):
    status = 502


class ServiceUnavailable(ApiError):
    """A service that the request needs is unavailable, or the process is shutting down."""

    status = 503
    code = "SERVICE_UNAVAILABLE"
    message = "The service is not available at the moment. Try again shortly."
    retry_after = 5


class GatewayTimeout(ApiError):
    status = 504
