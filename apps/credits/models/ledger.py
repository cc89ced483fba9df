from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.core.ids import ID_LENGTH
from apps.credits.models.plans import MAX_CREDITS, Plan
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class Account(models.Model):
    """A workspace's credits. `balance` is the sum of its ledger; `held` is the part on hold, by
    the `running_turns`, which may be fewer than run in fact for as long as one of an earlier
    release does.

    The plan's credits are granted on the monthly anniversaries of `plan_began`; `next_grant_on` is
    the next one. Both are empty if there are no monthly credits. `next_plan` replaces the plan on
    that day. An alert is armed while the balance is at or above its threshold.
    """

    workspace = models.OneToOneField(Workspace, on_delete=models.PROTECT, primary_key=True)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, blank=True)
    plan_began = models.DateField(null=True, blank=True, editable=False)
    next_grant_on = models.DateField(null=True, blank=True, editable=False)
    next_plan = models.ForeignKey(
        Plan, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    balance = models.BigIntegerField(db_default=0, editable=False)
    held = models.BigIntegerField(db_default=0, editable=False)
    running_turns = models.PositiveIntegerField(db_default=0, editable=False)
    low_balance_threshold = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="Owners and admins are alerted once when the balance falls below this.",
    )
    low_alert_armed = models.BooleanField(db_default=False, editable=False)
    exhausted_alert_armed = models.BooleanField(db_default=False, editable=False)

    class Meta:
        permissions = [("move_account_to_plan", "Can give a workspace another plan")]
        indexes = [
            models.Index(
                fields=["next_grant_on"],
                name="credits_grants_due",
                condition=Q(next_grant_on__isnull=False),
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(held__gte=0) & Q(held__lte=F("balance")), name="credits_held_is_covered"
            ),
            models.CheckConstraint(
                condition=Q(plan_began__isnull=True, next_grant_on__isnull=True)
                | Q(
                    plan__isnull=False,
                    plan_began__isnull=False,
                    next_grant_on__isnull=False,
                    next_grant_on__gt=F("plan_began"),
                ),
                name="credits_months_are_of_a_plan",
            ),
            models.CheckConstraint(
                condition=Q(next_plan__isnull=True) | Q(next_grant_on__isnull=False),
                name="credits_next_plan_has_its_day",
            ),
            models.CheckConstraint(
                condition=Q(low_balance_threshold__isnull=True)
                | Q(low_balance_threshold__range=(1, MAX_CREDITS)),
                name="credits_threshold_can_be_crossed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace}: {self.balance} credits"


class Statement(Account):
    """An account with its monthly statements in the admin (`apps.staff.admin`)."""

    class Meta:
        proxy = True

    def __str__(self) -> str:
        return f"Statements of {self.workspace}"


class EntryKind(models.TextChoices):
    """Why the balance changed."""

    GRANT = "grant"
    PURCHASE = "purchase"
    ADJUSTMENT = "adjustment"
    CHARGE = "charge"
    REFUND = "refund"
    EXPIRY = "expiry"
    EMBEDDING = "embedding"


DEBIT_KINDS = (EntryKind.CHARGE, EntryKind.EXPIRY, EntryKind.EMBEDDING)
CREDIT_KINDS = (EntryKind.GRANT, EntryKind.PURCHASE, EntryKind.REFUND)


class Category(models.TextChoices):
    """Why staff changed the balance manually."""

    GOODWILL = "goodwill"
    CORRECTION = "correction"
    PURCHASE = "purchase"
    PROMOTION = "promotion"


class LedgerEntry(models.Model):
    """One change of a workspace's balance. Triggers reject updates and deletes.

    `sequence` counts a workspace's entries from 1 and `hash` chains each to the one before; a
    trigger sets both and ignores given values. Optional columns have database defaults, because
    charges are inserted by SQL (`credits.sql`) that names only some columns.
    """

    id = IdField()
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="ledger", db_index=False
    )
    kind = models.CharField(max_length=10, choices=EntryKind)
    amount = models.BigIntegerField(help_text="Credits added; negative when deducted.")
    balance_after = models.BigIntegerField()
    turn_id = models.CharField(max_length=ID_LENGTH, null=True, blank=True, db_collation="C")  # noqa: DJ001
    reason = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, db_index=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    category = models.CharField(max_length=10, choices=Category, blank=True, db_default="")
    reference = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        help_text="External reference, such as an invoice, ticket or period.",
    )
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="When the unused part of these credits expires."
    )
    from_ip = models.GenericIPAddressField(null=True, blank=True)
    reverses = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        related_name="reversals",
        help_text="The entry reversed by this one.",
    )
    sequence = models.BigIntegerField(db_default=0, editable=False)
    hash = models.CharField(max_length=64, db_default="", editable=False)

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="credits_ledger_newest"),
            # Partial: charges, nearly all entries, have no created_by and stay out of the index.
            models.Index(
                fields=["created_by"],
                name="credits_ledger_made_by",
                condition=Q(created_by__isnull=False),
            ),
            # Partial: only the few entries that are not charges.
            models.Index(
                fields=["kind", "-id"],
                name="credits_ledger_kind",
                condition=Q(kind__in=["grant", "purchase", "adjustment", "refund", "expiry"]),
            ),
            models.Index(
                fields=["-id"],
                name="credits_ledger_embedding",
                condition=Q(kind=EntryKind.EMBEDDING),
            ),
            models.Index(
                fields=["category", "-id"],
                name="credits_ledger_category",
                condition=~Q(category=""),
            ),
            models.Index(
                fields=["reference"], name="credits_ledger_reference", condition=~Q(reference="")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "turn_id", condition=Q(kind=EntryKind.CHARGE), name="credits_one_charge_a_turn"
            ),
            models.CheckConstraint(
                condition=(Q(kind__in=DEBIT_KINDS, amount__lt=0))
                | (Q(kind__in=CREDIT_KINDS, amount__gt=0))
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
            models.UniqueConstraint("workspace", "sequence", name="credits_ledger_in_order"),
            models.UniqueConstraint(
                "reverses", condition=Q(reverses__isnull=False), name="credits_reversed_once"
            ),
            models.CheckConstraint(
                condition=Q(category__in=["", *Category.values]), name="credits_category_known"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(amount__gt=0),
                name="credits_only_what_is_given_expires",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+}"


class Lot(models.Model):
    """The credits that one entry added, and how many of them remain (see `lots`).

    `remaining` is as of the last call of `lots.allocate_usage`. `period` is the first day of the
    plan's month that a monthly grant is for. A lot without an entry holds the credits that the
    account had before lots existed.
    """

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    entry = models.OneToOneField(
        LedgerEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="lot"
    )
    given = models.BigIntegerField()
    remaining = models.BigIntegerField()
    expires_at = models.DateTimeField(null=True, blank=True)
    period = models.DateField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["workspace", "expires_at", "id"],
                name="credits_lots_to_use",
                condition=Q(remaining__gt=0),
            ),
            models.Index(
                fields=["expires_at"],
                name="credits_lots_to_expire",
                condition=Q(remaining__gt=0, expires_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint("workspace", "period", name="credits_one_grant_a_period"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, remaining__lte=F("given"), given__gt=0),
                name="credits_lot_within_what_was_given",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining} of {self.given}"
