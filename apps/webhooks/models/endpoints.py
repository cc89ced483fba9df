from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.webhooks.models.events import SUBSCRIBABLE_EVENT_TYPES, EventType
from apps.workspaces.models import Workspace


class DisabledReason(models.TextChoices):
    """Why an endpoint is disabled."""

    OWNER = "owner", "Disabled by a member"
    GONE = "gone", "The endpoint returned 410 Gone"
    FAILING = "failing", "Deliveries failed for several days"


class Endpoint(models.Model):
    """A URL of the customer that events are sent to.

    Secrets are stored encrypted, not hashed, because signing needs them. After a rotation both
    secrets sign until `previous_secret_expires_at`. `failing_since` is the time of the first
    failure after the last success. No request is sent before `paused_until`, which is set after
    several time-outs in a row. `last_claimed_at` is when a delivery to it was last claimed: by it
    workspaces and endpoints take turns.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="webhook_endpoints"
    )
    url = models.CharField(max_length=2000)
    description = NameField(max_length=200, blank=True)
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
    consecutive_timeouts = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    last_claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
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
        """Scheme and host of the URL. Path and query may contain a token of the customer."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def audit_target(self) -> tuple[str, str, str]:
        return self.workspace_id, self.id, self.origin

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None

    @property
    def is_paused(self) -> bool:
        return self.paused_until is not None and timezone.now() < self.paused_until
