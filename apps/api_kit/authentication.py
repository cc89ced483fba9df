"""Authenticate the REST API's operations by API key.

Any app may protect an operation with `ApiKeyAuth(Scope.READ)` and read its caller with
`get_caller(request)`. The keys are rows of `apps.api_keys`, which registers itself as the backend
when Django starts: apps below it need not import it.
"""

from typing import Protocol, cast

from django.conf import settings
from django.http import HttpRequest
from ninja.security.base import AuthBase

from apps.api_kit.callers import Caller, Scope
from apps.api_kit.forms import is_form
from apps.api_kit.operations import IdempotencyClaim, state_of
from apps.core.errors import TooManyRequests, UnsupportedMediaType, ValidationFailed
from apps.infrastructure.redis.rate_limit import RateLimit, Window, admit_sync

HOUR_SECONDS = 3600
IDEMPOTENCY_HEADER = "Idempotency-Key"
MAX_IDEMPOTENCY_KEY_LENGTH = 255
_RATE_LIMITED = "This API key has used its requests of the last hour. Please wait before the next."
_AT_CEILING = "The keys of this workspace have used their {:,} requests of an hour. Please wait."


JSON_TYPE = "application/json"
_JSON_OR_FORM = (
    "Send the body as application/json, or a file as multipart/form-data, with the header"
    " Content-Type."
)


class ApiKeyBackend(Protocol):
    """Finds callers by their API keys and remembers their idempotency keys."""

    def authenticate(self, request: HttpRequest) -> Caller:
        """The caller of a request. Raises an Unauthenticated error."""

    def claim_idempotency_key(
        self, request: HttpRequest, *, caller: Caller, key: str
    ) -> IdempotencyClaim:
        """Claim the key in the running transaction, waiting for another request that holds it.

        Raises Replay if the request was answered before, IdempotencyMismatch if another request
        used the key.
        """


class Replay(Exception):
    """The request was answered before, with this status and body."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


_backends: list[ApiKeyBackend] = []


def register_backend(backend: ApiKeyBackend) -> None:
    """Set the backend of this process. Called once, when Django starts."""
    _backends[:] = [backend]


class ApiKeyAuth(AuthBase):
    """Requires an API key with one of these scopes, and takes one of its hourly requests.

    `accepts_forms`: the operation takes a form with a file, too. `keeps_responses`: it does once
    what is sent twice under one Idempotency-Key; otherwise the header has no effect.

    Raises MissingAuthHeader, InvalidApiKey, TooManyRequests, ScopeMissing, UnsupportedMediaType,
    ValidationFailed for a malformed idempotency key, IdempotencyMismatch or Replay.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(
        self, *scopes: Scope, accepts_forms: bool = False, keeps_responses: bool = True
    ) -> None:
        super().__init__()
        self.scopes = scopes
        self.accepts_forms = accepts_forms
        self.keeps_responses = keeps_responses

    def __call__(self, request: HttpRequest) -> Caller:
        (backend,) = _backends
        state = state_of(request)
        caller = state.caller = backend.authenticate(request)
        state.window = admit_sync(_limit(caller))
        if not state.window.admitted:
            raise _refusal(state.window)
        caller.require(*self.scopes)
        self._require_media_type(request)
        has_key = self.keeps_responses and request.method == "POST"
        key = _parse_idempotency_key(request) if has_key else None
        if key is not None:
            state.begin_transaction()
            state.claim = backend.claim_idempotency_key(request, caller=caller, key=key)
        return caller

    def _require_media_type(self, request: HttpRequest) -> None:
        if self.accepts_forms:
            # The body of a form is never read as a whole: it may be a large file.
            if not is_form(request) and request.body and request.content_type != JSON_TYPE:
                raise UnsupportedMediaType(_JSON_OR_FORM)
        elif request.body and request.content_type != JSON_TYPE:
            raise UnsupportedMediaType


def _limit(caller: Caller) -> RateLimit:
    """The hourly requests of the key, and of its workspace, which can have many keys."""
    requests = settings.MAX_API_REQUESTS_PER_HOUR
    workspace = RateLimit(f"api:{caller.workspace_id}", requests, HOUR_SECONDS)
    return RateLimit(caller.api_key_id, caller.rate_limit_per_hour, HOUR_SECONDS, (workspace,))


def _refusal(window: Window) -> TooManyRequests:
    message = _RATE_LIMITED
    if window.at_ceiling:
        message = _AT_CEILING.format(settings.MAX_API_REQUESTS_PER_HOUR)
    return TooManyRequests(window.retry_after, message)


def _parse_idempotency_key(request: HttpRequest) -> str | None:
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is None or (1 <= len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH and key.isprintable()):
        return key
    raise ValidationFailed({IDEMPOTENCY_HEADER: ["This must be 1 to 255 printable characters."]})


def get_caller(request: HttpRequest) -> Caller:
    """The caller that ApiKeyAuth admitted."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]
