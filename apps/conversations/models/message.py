"""Messages: what the end user and the chatbot wrote."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.conversations.models.conversation import Conversation
from apps.conversations.models.turn import Turn
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class Role(models.TextChoices):
    """The author of a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Message(models.Model):
    """A message of a conversation. `metadata` is set by the caller and never shown."""

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.PROTECT,
        related_name="messages",
        db_constraint=False,
        db_index=False,
    )
    turn = models.ForeignKey(
        Turn,
        on_delete=models.PROTECT,
        related_name="messages",
        db_constraint=False,
        db_index=False,
    )
    role = models.CharField(max_length=9, choices=Role)
    text = models.TextField()
    metadata = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["conversation", "created_at", "id"], name="conversations_messages")
        ]
        constraints = [
            # The target of the foreign keys over (workspace, id) of other apps.
            models.UniqueConstraint("workspace", "id", name="conversations_message_in_workspace"),
            models.UniqueConstraint("turn", "role", name="conversations_one_message_a_role"),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="conversations_message_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"
