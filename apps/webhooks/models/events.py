from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class EventType(models.TextChoices):
    """The types of webhook events. WEBHOOK_TEST is sent only on request."""

    LEAD_CREATED = "lead.created"
    LEAD_UPDATED = "lead.updated"
    CONVERSATION_STARTED = "conversation.started"
    MESSAGE_COMPLETED = "message.completed"
    TURN_FAILED = "turn.failed"
    CREDITS_LOW = "credits.low"
    CREDITS_EXHAUSTED = "credits.exhausted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    SOURCE_READY = "source.ready"
    SOURCE_FAILED = "source.failed"
    WEBHOOK_TEST = "webhook.test"


SUBSCRIBABLE_EVENT_TYPES = [each.value for each in EventType if each != EventType.WEBHOOK_TEST]
"""The event types that an endpoint can subscribe to."""


class Event(models.Model):
    """An event to deliver: an outbox row, written in the transaction of what happened."""

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
