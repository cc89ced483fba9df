"""Writing the audit log: in the transaction of what is written down, so that both stay or go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from apps.accounts.models import User
from apps.api_kit.authentication import get_caller
from apps.audit.models import ActorKind, AuditEntry
from apps.infrastructure.web.middleware import client_ip, get_request_id


@dataclass(frozen=True, slots=True)
class Actor:
    """Whose hand it was, and where it came from."""

    kind: ActorKind
    label: str
    id: str = ""
    ip: str | None = None
    request_id: str = ""


SYSTEM = Actor(ActorKind.SYSTEM, "Parley")
"""What periodic tasks and operators' commands do."""


def user_actor(user: User, request: HttpRequest | None = None) -> Actor:
    """A member who is signed in."""
    return _actor(ActorKind.PERSON, user.email, user.pk, request)


def staff_actor(user: User, request: HttpRequest | None = None) -> Actor:
    """One of Parley's staff, at work in the admin."""
    return _actor(ActorKind.STAFF, user.email, user.pk, request)


def api_key_actor(key_id: str, label: str, request: HttpRequest | None = None) -> Actor:
    """An integrator's program, by its key. The label is its name and what may be shown of it."""
    return _actor(ActorKind.API_KEY, label, key_id, request)


def caller_actor(request: HttpRequest) -> Actor:
    """The API key that ApiKeyAuth admitted."""
    caller = get_caller(request)
    return api_key_actor(caller.api_key_id, caller.label, request)


def _actor(kind: ActorKind, label: str, id: str, request: HttpRequest | None) -> Actor:
    if request is None:
        return Actor(kind, label, str(id))
    return Actor(kind, label, str(id), client_ip(request), get_request_id(request))


def record(
    *,
    workspace_id: str | None,
    actor: Actor,
    action: str,
    target_id: str = "",
    target_label: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Write down that `actor` did `action` (a thing and a verb: `chatbot.updated`)."""
    return AuditEntry.objects.create(
        workspace_id=workspace_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:300],
        action=action,
        target_id=target_id,
        target_label=target_label[:300],
        details=dict(details or {}),
        ip=actor.ip,
        request_id=actor.request_id,
    )
