from __future__ import annotations

from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

# PostgreSQL rejects a row that refers to a row of another workspace: foreign keys marked
# db_constraint=False are composite ones over (workspace_id, id), created in migrations/sql/. They
# have no index of their own where another index begins with them.


class EventType(models.TextChoices):
    """What a workspace can be told of. The last is sent only when somebody asks for a test."""

    LEAD_CREATED = "lead.created"
    LEAD_UPDATED = "lead.updated"
    CONVERSATION_STARTED = "conversation.started"
    MESSAGE_COMPLETED = "message.completed"
    TURN_FAILED = "turn.failed"
    CREDITS_LOW = "credits.low"
    CREDITS_EXHAUSTED = "credits.exhausted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    WEBHOOK_TEST = "webhook.test"


SUBSCRIBABLE_EVENT_TYPES = [each.value for each in EventType if each != EventType.WEBHOOK_TEST]
"""The event types that an endpoint can choose."""


class DisabledReason(models.TextChoices):
    """Why an endpoint is off."""

    OWNER = "owner", "Disabled by a member"
    GONE = "gone", "The endpoint returned 410 Gone"
    FAILING = "failing", "Deliveries failed for several days"


class Endpoint(models.Model):
    """An address of the customer's that events are sent to.

    Secrets are kept sealed (`apps.webhooks.signing_secrets`), because signing needs them in the clear.
    While one is being rotated, both sign until `previous_secret_expires_at`. `failing_since` is
    the first failure after the last success.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="webhook_endpoints"
    )
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    event_types = ArrayField(models.CharField(max_length=30, choices=EventType))
    sealed_secret = models.TextField(editable=False)
    sealed_previous_secret = models.TextField(blank=True, editable=False)
    previous_secret_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_reason = models.CharField(
        max_length=7, choices=DisabledReason, blank=True, editable=False
    )
    owners_told_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When owners were notified by email."
    )
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "webhook endpoint"
        indexes = [
            models.Index(
                fields=["workspace", "-created_at", "-id"], name="webhooks_endpoint_newest"
            ),
            models.Index(
                fields=["disabled_at"],
                name="webhooks_owners_to_tell",
                condition=Q(
                    disabled_reason__in=[DisabledReason.GONE, DisabledReason.FAILING],
                    owners_told_at__isnull=True,
                ),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="webhooks_endpoint_in_workspace"),
            models.CheckConstraint(
                condition=Q(
                    event_types__contained_by=SUBSCRIBABLE_EVENT_TYPES, event_types__len__gt=0
                ),
                name="webhooks_endpoint_types_known",
            ),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | Q(disabled_at__isnull=False, disabled_reason__in=DisabledReason.values),
                name="webhooks_endpoint_off_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(sealed_previous_secret="", previous_secret_expires_at__isnull=True)
                | (~Q(sealed_previous_secret="") & Q(previous_secret_expires_at__isnull=False)),
                name="webhooks_endpoint_old_secret_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.origin

    @property
    def origin(self) -> str:
        """Where it is, without path and query, which may hold a token of the customer's."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, self.origin

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None


class Event(models.Model):
    """Something that happened: the outbox row, written in the transaction of the event itself."""

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    type = models.CharField(max_length=30, choices=EventType)
    data = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="webhooks_event_age")]
        constraints = [
            models.UniqueConstraint("workspace", "id", name="webhooks_event_in_workspace"),
            models.CheckConstraint(
                condition=Q(type__in=EventType.values), name="webhooks_event_type_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class DeliveryStatus(models.TextChoices):
    """pending until the endpoint has answered 2xx or the last attempt has failed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(models.Model):
    """One event on its way to one endpoint, with what the last attempt met.

    A worker that takes it moves `next_attempt_at` to when its claim ends: if the worker dies, the
    delivery is due again by itself. `next_attempt_at` is empty while the endpoint is off and when
    nothing more is to be tried.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    event = models.ForeignKey(
        Event,
        on_delete=models.PROTECT,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
    )
    endpoint = models.ForeignKey(
        Endpoint,
        on_delete=models.CASCADE,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
    )
    status = models.CharField(
        max_length=9,
        choices=DeliveryStatus,
        default=DeliveryStatus.PENDING,
        db_default=DeliveryStatus.PENDING,
    )
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    claimed_until = models.DateTimeField(null=True, blank=True)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_body = models.TextField(
        blank=True, default="", db_default="", help_text="First 4 KiB."
    )
    error = models.CharField(max_length=200, blank=True, default="", db_default="")
    request_headers = models.JSONField(default=dict, blank=True, db_default={})
    body_digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="webhooks_delivery_due",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            models.Index(
                fields=["endpoint"],
                name="webhooks_delivery_claimed",
                condition=Q(claimed_until__isnull=False),
            ),
            models.Index(
                fields=["endpoint", "-created_at", "-id"], name="webhooks_delivery_newest"
            ),
            models.Index(fields=["created_at"], name="webhooks_delivery_age"),
            # The few that failed; the others cost it nothing.
            models.Index(
                fields=["-id"],
                name="webhooks_delivery_failed",
                condition=Q(status=DeliveryStatus.FAILED),
            ),
        ]
        constraints = [
            models.UniqueConstraint("event", "endpoint", name="webhooks_one_delivery_an_endpoint"),
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="webhooks_delivery_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.PENDING)
                | Q(next_attempt_at__isnull=True, claimed_until__isnull=True),
                name="webhooks_delivery_ended_is_not_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} ({self.status})"
