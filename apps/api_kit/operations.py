"""What wraps every REST operation: malformed ids, rate limit headers, idempotent transactions.

`config/api.py` puts `wrap_operation` around each operation of django-ninja; the operation itself
knows nothing of it. `apps.api_kit.authentication.ApiKeyAuth` fills in the state on the way.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Protocol

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from apps.api_kit.callers import Caller
from apps.api_kit.refusal_log import log_refusal
from apps.core.errors import ApiError
from apps.core.ids import NIL_ID, is_id
from apps.infrastructure.redis.rate_limit import Window
from apps.infrastructure.web.middleware import get_request_id

View = Callable[..., HttpResponse]


class IdempotencyClaim(Protocol):
    """An idempotency key that this request holds until its transaction ends."""

    def store_response(self, *, status: int, body: bytes) -> None:
        """Store the response for whoever sends the request again."""


@dataclass
class OperationState:
    """What is known of one request between its authentication and its response."""

    transaction: ExitStack = field(default_factory=ExitStack)
    """Holds the transaction of an idempotency key, if there is one."""
    has_idempotency_key: bool = False
    caller: Caller | None = None
    window: Window | None = None
    claim: IdempotencyClaim | None = None

    def begin_transaction(self) -> None:
        """Begin the transaction that an idempotency key is claimed in."""
        self.transaction.enter_context(transaction.atomic())
        self.has_idempotency_key = True


def state_of(request: HttpRequest) -> OperationState:
    """The request's state, made on first use."""
    state: OperationState | None = getattr(request, "operation_state", None)
    if state is None:
        state = request.operation_state = OperationState()  # type: ignore[attr-defined]
    return state


def wrap_operation(view: View) -> View:
    """Wrap an operation, its authentication included.

    Replaces malformed ids of the path, so that they are not found rather than break a query;
    commits or rolls back the transaction of an idempotency key; adds the rate limit headers.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, **path: Any) -> HttpResponse:
        state = state_of(request)
        with state.transaction:
            response = view(
                request, **{name: _replace_malformed_id(name, path[name]) for name in path}
            )
            if state.has_idempotency_key and response.status_code >= 400:
                transaction.set_rollback(True)
            elif state.claim is not None:
                state.claim.store_response(status=response.status_code, body=response.content)
        if state.window is not None:
            for name, value in state.window.headers().items():
                response[name] = value
        return response

    return wrapped


def _replace_malformed_id(name: str, value: Any) -> Any:
    return NIL_ID if name.endswith("_id") and not is_id(value) else value


def log_refused_operation(request: HttpRequest, error: ApiError) -> None:
    """Log why a request was refused, for the members of its key's workspace."""
    state = state_of(request)
    log_refusal(
        error,
        caller=state.caller,
        request_id=get_request_id(request),
        method=request.method or "",
        path=request.path,
        window=state.window,
    )
