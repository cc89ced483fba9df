from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.ids import ID_LENGTH
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models.workspaces import Workspace


class LetterKind(models.TextChoices):
    """What a letter is about. The app of its subject writes its text."""

    INVITATION = "invitation"
    DELETION = "deletion"
    CREDIT_ALERT = "credit_alert"
    CREDIT_DECISION = "credit_decision"
    ENDPOINT_DISABLED = "endpoint_disabled"


class LetterStatus(models.TextChoices):
    """PENDING, then finally one of the others.

    REFUSED: the mail server will never take it. FAILED: it did not take it at any attempt. VOID:
    there is nothing to say any more, such as after a revoked invitation.
    """

    PENDING = "pending"
    SENT = "sent"
    REFUSED = "refused"
    FAILED = "failed"
    VOID = "void"


class Letter(models.Model):
    """An email of a workspace to one recipient, written in the transaction of what it is about.

    Its text is written when it is sent, from the row `subject_id`. A worker that claims it sets
    `next_attempt_at` to the end of its claim.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="letters", db_index=False
    )
    kind = models.CharField(max_length=17, choices=LetterKind)
    subject_id = models.CharField(max_length=ID_LENGTH, db_collation="C")
    recipient = models.EmailField(max_length=254)
    status = models.CharField(
        max_length=7,
        choices=LetterStatus,
        default=LetterStatus.PENDING,
        db_default=LetterStatus.PENDING,
    )
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, db_default=Now())
    claimed_until = models.DateTimeField(null=True, blank=True)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["workspace", "next_attempt_at"],
                name="workspaces_letters_waiting",
                condition=Q(status=LetterStatus.PENDING),
            ),
            models.Index(fields=["workspace", "-last_attempt_at"], name="workspaces_letters_sent"),
            models.Index(fields=["created_at"], name="workspaces_letters_oldest"),
        ]
        constraints = [
            models.UniqueConstraint(
                "subject_id",
                "kind",
                "recipient",
                condition=Q(status=LetterStatus.PENDING),
                name="workspaces_one_pending_letter",
            ),
            models.CheckConstraint(
                condition=Q(status__in=LetterStatus.values), name="workspaces_letter_status_known"
            ),
            models.CheckConstraint(
                condition=Q(status=LetterStatus.PENDING, next_attempt_at__isnull=False)
                | (
                    ~Q(status=LetterStatus.PENDING)
                    & Q(next_attempt_at__isnull=True, claimed_until__isnull=True)
                ),
                name="workspaces_letter_ended_is_not_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.status})"
