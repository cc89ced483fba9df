"""How django-ninja's operations know their caller."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest
from django.utils import timezone
from ninja.security.base import AuthBase

from apps.api_keys.models import ApiKey, Scope
from apps.api_keys.queries import Caller, caller_of, secret_in
from apps.api_keys.services import touch_key
from apps.audit.services import Actor, api_key


class ApiKeyAuth(AuthBase):
    """A key with one of these scopes. Raises MissingAuthHeader, InvalidApiKey or ScopeMissing."""

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, *scopes: Scope) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> Caller:
        caller = caller_of(secret_in(request.headers.get("Authorization")))
        if caller.is_due_for_touch(timezone.now()):
            touch_key(api_key_id=caller.api_key_id)
        caller.require(*self.scopes)
        return caller


def caller_in(request: HttpRequest) -> Caller:
    """The caller that ApiKeyAuth let in."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]


def actor_in(request: HttpRequest) -> Actor:
    """The caller that ApiKeyAuth let in, as the audit log names it."""
    key = ApiKey.objects.get(id=caller_in(request).api_key_id)
    return api_key(key.id, str(key), request)
