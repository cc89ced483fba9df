"""Create, update, disable and delete webhook endpoints, and rotate their secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.audit.services import SYSTEM, Actor, record_change
from apps.core.errors import ValidationFailed
from apps.infrastructure.http.url_validation import UrlNotAllowed, parse_target
from apps.infrastructure.postgres.clock import database_now
from apps.infrastructure.postgres.rows import first_or_raise
from apps.webhooks.errors import EndpointNotFound, TooManyEndpoints
from apps.webhooks.models import (
    SUBSCRIBABLE_EVENT_TYPES,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
)
from apps.webhooks.services.task_triggers import enqueue_deliveries, enqueue_owner_emails
from apps.webhooks.signing import encrypt_secret, new_secret
from apps.workspaces.services import lock_workspace

MAX_ENDPOINTS = 20
"""Endpoints of a workspace, and so deliveries of an event, at most."""

OLD_SECRET_LIFETIME = timedelta(hours=24)
"""How long the old secret still signs after a rotation."""

_HEALTHY = {"failing_since": None, "consecutive_timeouts": 0, "paused_until": None}
# The state of an endpoint that nothing is known of yet.


@transaction.atomic
def create_endpoint(
    *,
    workspace_id: str,
    actor: Actor,
    url: str,
    event_types: Sequence[str],
    description: str = "",
) -> tuple[Endpoint, str]:
    """Create an endpoint. Returns it with its secret, which is not shown again.

    Raises ValidationFailed or TooManyEndpoints, and NotFound if the workspace is closed.
    """
    lock_workspace(workspace_id=workspace_id)
    if Endpoint.objects.filter(workspace_id=workspace_id).count() >= MAX_ENDPOINTS:
        raise TooManyEndpoints(MAX_ENDPOINTS)
    secret = new_secret()
    endpoint = Endpoint.objects.create(
        workspace_id=workspace_id,
        url=_validated_url(url),
        description=_validated_description(description),
        event_types=_validated_event_types(event_types),
        sealed_secret=encrypt_secret(secret),
    )
    endpoint.refresh_from_db()
    record_change(
        endpoint, actor=actor, action="webhook_endpoint.created", eventTypes=endpoint.event_types
    )
    return endpoint, secret


@dataclass(frozen=True, slots=True)
class EndpointChanges:
    """Changes to an endpoint. None leaves a field unchanged."""

    url: str | None = None
    description: str | None = None
    event_types: Sequence[str] | None = None
    enabled: bool | None = None


@transaction.atomic
def update_endpoint(*, endpoint: Endpoint, actor: Actor, changes: EndpointChanges) -> Endpoint:
    """Apply changes. Raises ValidationFailed or EndpointNotFound without changing anything."""
    lock_endpoint(endpoint)
    fields: dict[str, Any] = {}
    if changes.url is not None and changes.url != endpoint.url:
        fields |= {"url": _validated_url(changes.url), **_HEALTHY}
    if changes.description is not None:
        fields["description"] = _validated_description(changes.description)
    if changes.event_types is not None:
        fields["event_types"] = _validated_event_types(changes.event_types)
    if fields:
        _row(endpoint).update(**fields)
        record_change(
            endpoint,
            actor=actor,
            action="webhook_endpoint.updated",
            changed=sorted(fields.keys() - _HEALTHY.keys()),
        )
    if changes.enabled is True:
        _enable(endpoint, actor)
    elif changes.enabled is False:
        disable_endpoint(endpoint=endpoint, actor=actor, reason=DisabledReason.OWNER)
    endpoint.refresh_from_db()
    return endpoint


@transaction.atomic
def disable_endpoint(*, endpoint: Endpoint, reason: DisabledReason, actor: Actor = SYSTEM) -> bool:
    """Disable an endpoint; its deliveries stay pending. Returns whether it was enabled."""
    enabled = _row(endpoint).filter(disabled_at=None)
    if not enabled.update(disabled_at=Now(), disabled_reason=reason, owners_told_at=None):
        return False
    _pending_deliveries(endpoint).update(next_attempt_at=None)
    record_change(endpoint, actor=actor, action="webhook_endpoint.disabled", reason=reason.value)
    if reason != DisabledReason.OWNER:  # the owners know
        transaction.on_commit(enqueue_owner_emails)
    return True


def _enable(endpoint: Endpoint, actor: Actor) -> None:
    disabled = _row(endpoint).filter(disabled_at__isnull=False)
    if disabled.update(disabled_at=None, disabled_reason="", **_HEALTHY):
        _pending_deliveries(endpoint).filter(next_attempt_at=None).update(next_attempt_at=Now())
        record_change(endpoint, actor=actor, action="webhook_endpoint.enabled")
        transaction.on_commit(enqueue_deliveries)


def _pending_deliveries(endpoint: Endpoint) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        workspace_id=endpoint.workspace_id, endpoint=endpoint, status=DeliveryStatus.PENDING
    )


@transaction.atomic
def delete_endpoint(*, endpoint: Endpoint, actor: Actor) -> None:
    """Delete an endpoint and its deliveries, even those being written. Raises EndpointNotFound."""
    lock_endpoint(endpoint, for_delete=True)
    record_change(endpoint, actor=actor, action="webhook_endpoint.deleted")
    endpoint.delete()


@transaction.atomic
def rotate_secret(*, endpoint: Endpoint, actor: Actor) -> tuple[Endpoint, str]:
    """Create a new secret, shown once. The old one still signs for a day or until the next."""
    locked = lock_endpoint(endpoint)
    secret = new_secret()
    locked.sealed_previous_secret = locked.sealed_secret
    locked.previous_secret_expires_at = database_now() + OLD_SECRET_LIFETIME
    locked.sealed_secret = encrypt_secret(secret)
    locked.save(
        update_fields=["sealed_secret", "sealed_previous_secret", "previous_secret_expires_at"]
    )
    record_change(locked, actor=actor, action="webhook_endpoint.secret_rotated")
    return locked, secret


def lock_endpoint(endpoint: Endpoint, *, for_delete: bool = False) -> Endpoint:
    """Lock the endpoint's current row until the transaction ends. Raises EndpointNotFound.

    Events can still be written for it unless `for_delete`.
    """
    return first_or_raise(_row(endpoint).select_for_update(no_key=not for_delete), EndpointNotFound)


def _row(endpoint: Endpoint) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(workspace_id=endpoint.workspace_id, id=endpoint.id)


def _validated_url(url: str) -> str:
    if len(url) > 2000:
        raise ValidationFailed({"url": ["Give at most 2,000 characters."]})
    try:
        parse_target(url, allow_private=settings.WEBHOOK_ALLOW_PRIVATE)
    except UrlNotAllowed as error:
        raise ValidationFailed({"url": [str(error)]}) from error
    return url


def _validated_description(description: str) -> str:
    if len(description) > 200 or "\x00" in description:
        raise ValidationFailed({"description": ["Give at most 200 characters, and no NUL."]})
    return description


def _validated_event_types(types: Sequence[str]) -> list[str]:
    if not types:
        raise ValidationFailed({"eventTypes": ["Choose at least one type of event."]})
    unknown = [name for name in types if name not in SUBSCRIBABLE_EVENT_TYPES]
    if unknown:
        choices = ", ".join(SUBSCRIBABLE_EVENT_TYPES)
        message = f"“{unknown[0]}” is not a type of event. Choose from: {choices}."
        raise ValidationFailed({"eventTypes": [message]})
    return list(dict.fromkeys(types))
