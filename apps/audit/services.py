"""Write the audit log, in the transaction of the change: both are committed or neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.http import HttpRequest

from apps.accounts.models import User
from apps.api_kit.authentication import get_caller
from apps.audit.models import ActorKind, AuditEntry
from apps.infrastructure.web.client_address import client_ip
from apps.infrastructure.web.middleware import get_request_id


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, and with which request."""

    kind: ActorKind
    label: str
    id: str = ""
    ip: str | None = None
    request_id: str = ""


SYSTEM = Actor(ActorKind.SYSTEM, "Parley")
"""The actor of periodic tasks and management commands."""


def user_actor(user: User, request: HttpRequest | None = None) -> Actor:
    """A member who is signed in."""
    return _actor(ActorKind.PERSON, user.email, user.pk, request)


def staff_actor(user: User, request: HttpRequest | None = None) -> Actor:
    """A member of Parley's staff in the admin."""
    return _actor(ActorKind.STAFF, user.email, user.pk, request)


def api_key_actor(key_id: str, label: str, request: HttpRequest | None = None) -> Actor:
    """A program with an API key. The label is the key's name and the shown part of its secret."""
    return _actor(ActorKind.API_KEY, label, key_id, request)


def caller_actor(request: HttpRequest) -> Actor:
    """The API key of a REST request."""
    caller = get_caller(request)
    return api_key_actor(caller.api_key_id, caller.label, request)


def _actor(kind: ActorKind, label: str, id: str, request: HttpRequest | None) -> Actor:
    if request is None:
        return Actor(kind, label, str(id))
    return Actor(kind, label, str(id), client_ip(request), get_request_id(request))


class Auditable(Protocol):
    """A row of a workspace that audit entries can be about."""

    def audit_target(self) -> tuple[str, str, str]:
        """The workspace's id, the row's id and its label, as an entry stores them.

        Entries are never deleted: the label is empty where it could be personal data.
        """


def record_change(target: Auditable, *, actor: Actor, action: str, **details: Any) -> AuditEntry:
    """Record that `actor` did `action`, such as `chatbot.updated`, to `target`."""
    workspace_id, target_id, target_label = target.audit_target()
    return record(
        workspace_id=workspace_id,
        actor=actor,
        action=action,
        target_id=target_id,
        target_label=target_label,
        details=details,
    )


def record(
    *,
    workspace_id: str | None,
    actor: Actor,
    action: str,
    target_id: str = "",
    target_label: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Record an action on something that is no single row of the workspace."""
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
