"""Reviews of questions that were not answered."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.conversations.models.turn import Turn
from apps.core.ids import ID_LENGTH
from apps.workspaces.models import Workspace


class ReviewOutcome(models.TextChoices):
    """What a member did about a question."""

    ANSWERED = "answered"
    DISMISSED = "dismissed"


class QuestionReview(models.Model):
    """The latest review of a turn's question; `source_id` is the answer's, which may be gone."""

    turn = models.OneToOneField(
        Turn,
        on_delete=models.PROTECT,
        primary_key=True,
        related_name="review",
        db_constraint=False,
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    outcome = models.CharField(max_length=9, choices=ReviewOutcome)
    source_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome=ReviewOutcome.DISMISSED, source_id="")
                | Q(outcome=ReviewOutcome.ANSWERED, source_id__gt=""),
                name="conversations_review_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.turn_id} {self.outcome}"
