"""Ratings of assistant messages."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.audit.models import ActorKind
from apps.conversations.models.conversation import Conversation
from apps.conversations.models.message import Message
from apps.core.ids import ID_LENGTH
from apps.workspaces.models import Workspace

COMMENT_LENGTH = 1000


class RatingValue(models.TextChoices):
    """Whether an answer was good."""

    UP = "up"
    DOWN = "down"


class Rating(models.Model):
    """The latest rating of an answer; each answer has at most one."""

    message = models.OneToOneField(
        Message,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="rating",
        db_constraint=False,
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="ratings", db_index=False
    )
    conversation = models.ForeignKey(
        Conversation,
        on_delete=models.CASCADE,
        related_name="ratings",
        db_constraint=False,
        db_index=False,
    )
    value = models.CharField(max_length=4, choices=RatingValue)
    comment = models.CharField(max_length=COMMENT_LENGTH, blank=True)
    actor_kind = models.CharField(max_length=7, choices=ActorKind)
    actor_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    actor_label = models.CharField(max_length=300)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "conversation"], name="conversations_rated"),
            models.Index(
                fields=["workspace", "-created_at"],
                name="conversations_rated_down",
                condition=Q(value="down"),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(value__in=RatingValue.values), name="conversations_rating_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value} {self.message_id}"
