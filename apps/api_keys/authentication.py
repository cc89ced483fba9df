"""How django-ninja's operations know their caller, and what all of them share.

`ApiKeyAuth` stands before an operation: the key, its limit, its scope, the form of the body, the
idempotency key. `wrap_operation` stands around it (`config/api.py` puts it around every one): ids that
could be none, the transaction of an idempotency key, the headers of the limit. An operation does
not know of any of these.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, cast

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja.security.base import AuthBase

from apps.api_keys import idempotency
from apps.api_keys.idempotency import IdempotencyClaim
from apps.api_keys.models import Scope
from apps.api_keys.queries import Caller, authenticate_key, parse_bearer_token
from apps.api_keys.services import update_last_used
from apps.api_kit.refusal_log import log_refused_request, refusal
from apps.audit.services import Actor, api_key_actor
from apps.core.errors import ApiError, TooManyRequests, UnsupportedMediaType
from apps.core.ids import NIL_ID, is_id
from apps.infrastructure.redis.rate_limit import RateLimit, Window, admit_sync
from apps.infrastructure.web.middleware import get_request_id

HOUR = 3600
_LIMITED = "This API key has used its requests of the last hour. Please wait before the next."

Run = Callable[..., HttpResponse]


@dataclass
class _Call:
    """What is known of a request between the door and the answer."""

    transaction: ExitStack = field(default_factory=ExitStack)
    """Holds the transaction of an idempotency key, if there is one."""
    is_keyed: bool = False
    caller: Caller | None = None
    window: Window | None = None
    claim: IdempotencyClaim | None = None


class ApiKeyAuth(AuthBase):
    """A key with one of these scopes.

    Raises MissingAuthHeader, InvalidApiKey, TooManyRequests, ScopeMissing, UnsupportedMediaType,
    or what an idempotency key is refused or answered with.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, *scopes: Scope) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> Caller:
        secret = parse_bearer_token(request.headers.get("Authorization"))
        caller = authenticate_key(secret)
        if caller.is_last_used_outdated(timezone.now()):
            update_last_used(api_key_id=caller.api_key_id)
        call = _call_of(request)
        call.caller = caller
        call.window = admit_sync(RateLimit(caller.api_key_id, caller.rate_limit_per_hour, HOUR))
        if not call.window.admitted:
            raise TooManyRequests(call.window.retry_after, _LIMITED)
        caller.require(*self.scopes)
        if request.body and request.content_type != "application/json":
            raise UnsupportedMediaType
        key = idempotency.parse_idempotency_key(request) if request.method == "POST" else None
        if key is not None:
            call.transaction.enter_context(transaction.atomic())
            call.is_keyed = True
            call.claim = idempotency.claim_key(
                caller=caller, secret=secret, key=key, request=request
            )
        return caller


def wrap_operation(run: Run) -> Run:
    """What stands around an operation, from before its caller is known until after its answer."""

    @wraps(run)
    def answer(request: HttpRequest, **path: Any) -> HttpResponse:
        call = _call_of(request)
        with call.transaction:
            response = run(request, **{name: _findable(name, at) for name, at in path.items()})
            if call.is_keyed and response.status_code >= 400:
                transaction.set_rollback(True)
            elif call.claim is not None:
                call.claim.store_response(status=response.status_code, body=response.content)
        if call.window is not None:
            for name, value in call.window.headers().items():
                response[name] = value
        return response

    return answer


def _call_of(request: HttpRequest) -> _Call:
    call: _Call | None = getattr(request, "call", None)
    if call is None:
        call = request.call = _Call()  # type: ignore[attr-defined]
    return call


def _findable(name: str, value: Any) -> Any:
    """An id that is none becomes one that names nothing: absent, with the same answer."""
    return NIL_ID if name.endswith("_id") and not is_id(value) else value


def log_refusal(request: HttpRequest, error: ApiError) -> None:
    """Note why a request was refused, for the members of the workspace whose key it came with."""
    call = _call_of(request)
    who = (call.caller.workspace_id, call.caller.api_key_id) if call.caller else error.caller
    if who is not None:
        note = refusal(
            error,
            request_id=get_request_id(request),
            method=request.method or "",
            path=request.path,
            api_key_id=who[1],
            window=call.window,
        )
        log_refused_request(who[0], note)


def get_caller(request: HttpRequest) -> Caller:
    """The caller that ApiKeyAuth let in."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]


def caller_actor(request: HttpRequest) -> Actor:
    """The caller that ApiKeyAuth let in, as the audit log names it."""
    caller = get_caller(request)
    return api_key_actor(caller.api_key_id, caller.label, request)
