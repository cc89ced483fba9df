from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.infrastructure.postgres.id_field import IdField
from apps.webhooks.models.endpoints import Endpoint
from apps.webhooks.models.events import Event
from apps.workspaces.models import Workspace


class DeliveryStatus(models.TextChoices):
    """PENDING until the endpoint has answered 2xx or the last attempt has failed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(models.Model):
    """The delivery of one event to one endpoint, with the result of the last attempt.

    A worker that claims it sets `next_attempt_at` to the end of its claim: if the worker dies,
    the delivery is due again by itself. `next_attempt_at` is empty while the endpoint is disabled
    and after the last attempt.
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
                fields=["workspace", "endpoint", "next_attempt_at"],
                name="webhooks_delivery_waiting",
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
            # Partial: few deliveries fail.
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
