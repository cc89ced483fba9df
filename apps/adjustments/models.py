from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.credits.models import Category, LedgerEntry
from apps.infrastructure.names import NameField
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace

ADJUST_PERMISSION = "adjustments.adjust_credits"
GOODWILL_PERMISSION = "adjustments.give_goodwill"
APPROVE_PERMISSION = "adjustments.approve_adjustment"


class Status(models.TextChoices):
    """`posted` at once, or `pending` and later one of the others. Only `pending` may change."""

    POSTED = "posted", "Posted"
    PENDING = "pending", "Awaiting approval"
    APPROVED = "approved", "Approved and posted"
    DECLINED = "declined", "Declined"
    EXPIRED = "expired", "Expired"


POSTED_STATUSES = (Status.POSTED, Status.APPROVED)
DECIDED_STATUSES = (Status.APPROVED, Status.DECLINED)


class Adjustment(models.Model):
    """A manual change of credits by staff, posted as a whole or not at all, and its approval.

    It has one line if it comes from the form, many if it comes from a CSV file. Triggers reject an
    update unless it is pending, and every delete.
    """

    id = IdField()
    status = models.CharField(max_length=8, choices=Status)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_from = models.GenericIPAddressField(null=True, blank=True)
    requested_at = models.DateTimeField(db_default=Now(), editable=False)
    lapses_at = models.DateTimeField(null=True, blank=True, help_text="Approval deadline.")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    decided_from = models.GenericIPAddressField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.CharField(max_length=500, blank=True)
    file_name = NameField(max_length=200, blank=True)
    file_digest = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the uploaded file."
    )

    class Meta:
        permissions = [
            ("adjust_credits", "Can adjust a workspace's credits"),
            ("give_goodwill", "Can give goodwill, up to the limit"),
            ("approve_adjustment", "Can decide what somebody else asked for"),
        ]
        indexes = [
            models.Index(
                fields=["lapses_at"],
                name="adjustments_pending",
                condition=Q(status=Status.PENDING),
            ),
            models.Index(fields=["requested_by", "-requested_at"], name="adjustments_of_person"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="adjustments_status_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=DECIDED_STATUSES, decided_by__isnull=False, decided_at__isnull=False
                )
                | (
                    ~Q(status__in=DECIDED_STATUSES)
                    & Q(decided_by__isnull=True, decided_at__isnull=True)
                ),
                name="adjustments_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="adjustments_decided_by_another",
            ),
            models.CheckConstraint(
                condition=Q(status=Status.POSTED, lapses_at__isnull=True)
                | (~Q(status=Status.POSTED) & Q(lapses_at__isnull=False)),
                name="adjustments_requests_lapse",
            ),
            models.UniqueConstraint(
                "file_digest",
                condition=~Q(file_digest="") & Q(status__in=[*POSTED_STATUSES, Status.PENDING]),
                name="adjustments_one_file_once",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name or str(self.id)

    @property
    def is_pending(self) -> bool:
        """Whether it awaits approval by a second person."""
        return self.status == Status.PENDING


class AdjustmentLine(models.Model):
    """The part of an adjustment that concerns one workspace, and its ledger entry once posted.

    Triggers reject a line in a workspace of which the requesting user is a member, and every
    update except setting `entry`.
    """

    id = IdField()
    adjustment = models.ForeignKey(Adjustment, on_delete=models.PROTECT, related_name="lines")
    number = models.PositiveIntegerField(default=1, help_text="Row number in the file.")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    credits = models.BigIntegerField(help_text="Credits to add; negative to deduct.")
    category = models.CharField(max_length=10, choices=Category)
    reason = models.CharField(max_length=500)
    reference = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    reverses = models.ForeignKey(
        LedgerEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    entry = models.OneToOneField(
        LedgerEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "adjustment", "workspace", name="adjustments_one_line_a_workspace"
            ),
            models.CheckConstraint(condition=~Q(credits=0), name="adjustments_line_moves_credits"),
            models.CheckConstraint(condition=~Q(reason=""), name="adjustments_line_has_a_reason"),
            models.CheckConstraint(
                condition=Q(category__in=Category.values), name="adjustments_line_category_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace}: {self.credits:+,}"
