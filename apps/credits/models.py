from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.core.ids import LENGTH, IdField
from apps.workspaces.models import Workspace


class Plan(models.Model):
    """What a workspace is given each month."""

    id = IdField()
    slug = models.SlugField(max_length=48, unique=True)
    name = models.CharField(max_length=120)
    monthly_credits = models.PositiveBigIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ["monthly_credits"]

    def __str__(self) -> str:
        return self.name


class Account(models.Model):
    """A workspace's credits. `balance` is the sum of its ledger; `held` is a part of it."""

    workspace = models.OneToOneField(Workspace, on_delete=models.PROTECT, primary_key=True)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, blank=True)
    balance = models.BigIntegerField(db_default=0, editable=False)
    held = models.BigIntegerField(db_default=0, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0) & Q(held__lte=F("balance")), name="credits_held_is_covered"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workspace}: {self.balance} credits"


class EntryKind(models.TextChoices):
    """Why credits moved."""

    GRANT = "grant"
    PURCHASE = "purchase"
    ADJUSTMENT = "adjustment"
    CHARGE = "charge"
    REFUND = "refund"
    EXPIRY = "expiry"


TAKES = (EntryKind.CHARGE, EntryKind.EXPIRY)
GIVES = (EntryKind.GRANT, EntryKind.PURCHASE, EntryKind.REFUND)


class LedgerEntry(models.Model):
    """One line of a workspace's credits. PostgreSQL refuses to change or delete it."""

    id = IdField()
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="ledger")
    kind = models.CharField(max_length=10, choices=EntryKind)
    amount = models.BigIntegerField(help_text="Credits given, or taken where negative.")
    balance_after = models.BigIntegerField()
    turn_id = models.CharField(max_length=LENGTH, null=True, blank=True, db_collation="C")  # noqa: DJ001
    reason = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="credits_ledger_newest")
        ]
        constraints = [
            models.UniqueConstraint(
                "turn_id", condition=Q(kind=EntryKind.CHARGE), name="credits_one_charge_a_turn"
            ),
            models.CheckConstraint(
                condition=(Q(kind__in=TAKES, amount__lt=0))
                | (Q(kind__in=GIVES, amount__gt=0))
                | (Q(kind=EntryKind.ADJUSTMENT) & ~Q(amount=0)),
                name="credits_amount_has_the_sign_of_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0), name="credits_balance_never_negative"
            ),
            models.CheckConstraint(
                condition=~Q(kind=EntryKind.CHARGE) | Q(turn_id__isnull=False),
                name="credits_charge_names_its_turn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+}"
