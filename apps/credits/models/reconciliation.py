from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from apps.core.ids import ID_LENGTH
from apps.infrastructure.postgres.id_field import IdField
from apps.workspaces.models import Workspace


class NightlyCheck(models.Model):
    """One night's reconciliation of all accounts; days are in UTC.

    One worker runs it, holding a claim until `claimed_until`. `digest` is the SHA-256 over the last
    hashes of all ledgers; it is logged too.
    """

    id = IdField()
    day = models.DateField(unique=True)
    claimed_until = models.DateTimeField()
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    accounts = models.PositiveIntegerField(default=0)
    faults = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"The night of {self.day}"


class AccountCheck(models.Model):
    """The result of one night's reconciliation of one account. Triggers reject changes.

    The figures are from one snapshot. `fault` says what differs, "" if nothing does, and
    `fault_row_id` names the first ledger entry or turn that shows it.
    """

    id = IdField()
    night = models.ForeignKey(NightlyCheck, on_delete=models.PROTECT, related_name="checks")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    balance = models.BigIntegerField()
    ledger_sum = models.BigIntegerField()
    held = models.BigIntegerField()
    running_holds = models.BigIntegerField()
    charges = models.BigIntegerField(help_text="Sum of ledger charges, in credits.")
    turns_charged = models.BigIntegerField(help_text="Sum of charges on settled turns, in credits.")
    entries = models.BigIntegerField()
    last_hash = models.CharField(max_length=64, blank=True)
    fault = models.CharField(max_length=1000, blank=True)
    fault_row_id = models.CharField(max_length=ID_LENGTH, blank=True, db_collation="C")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["night"], name="credits_check_faults", condition=~Q(fault=""))
        ]
        constraints = [
            models.UniqueConstraint("workspace", "night", name="credits_one_check_a_night")
        ]

    def __str__(self) -> str:
        return self.fault or "agrees"
