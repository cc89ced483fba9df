"""Read credits."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet, Sum

from apps.credits.lots import remaining_in_lots, usable_lots_for
from apps.credits.models import (
    Account,
    AccountCheck,
    CreditRequest,
    EntryKind,
    LedgerEntry,
    NightlyCheck,
    Plan,
)


@dataclass(frozen=True, slots=True)
class Balance:
    """All credits of a workspace, and the part that running turns hold."""

    balance: int
    held: int


def balance_for(workspace_id: str) -> Balance:
    """Return the workspace's credits; 0 if it has no account yet."""
    row = Account.objects.filter(pk=workspace_id).values_list("balance", "held").first()
    return Balance(*row) if row else Balance(0, 0)


def balances_for(workspace_ids: Collection[str]) -> Mapping[str, Balance]:
    """Return the credits of those of the workspaces that have an account."""
    rows = Account.objects.filter(pk__in=workspace_ids).values_list("pk", "balance", "held")
    return {workspace_id: Balance(balance, held) for workspace_id, balance, held in rows}


def plan_of(workspace_id: str) -> Plan | None:
    """Return the plan that the workspace is on."""
    return Plan.objects.filter(account__workspace_id=workspace_id).first()


def ledger_entries_for(
    workspace_id: str,
    *,
    kind: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[LedgerEntry]:
    """Return the workspace's ledger entries that match all given filters."""
    entries = LedgerEntry.objects.filter(workspace_id=workspace_id)
    if kind is not None:
        entries = entries.filter(kind=kind)
    if since is not None:
        entries = entries.filter(created_at__gte=since)
    if before is not None:
        entries = entries.filter(created_at__lt=before)
    return entries


def ledger_sum(workspace_id: str) -> int:
    """Return the sum of the workspace's ledger, which its balance must equal."""
    total = LedgerEntry.objects.filter(workspace_id=workspace_id).aggregate(sum=Sum("amount"))
    return int(total["sum"] or 0)


def charge_for_turn(workspace_id: str, turn_id: str) -> LedgerEntry | None:
    """Return the entry that charged a turn; None if it cost nothing."""
    charges = LedgerEntry.objects.filter(workspace_id=workspace_id, kind=EntryKind.CHARGE)
    return charges.filter(turn_id=turn_id).first()


def balance_after_turn(workspace_id: str, turn_id: str) -> int:
    """Return the balance after a settled turn's charge; the current one if it cost nothing."""
    charge = charge_for_turn(workspace_id, turn_id)
    return charge.balance_after if charge else balance_for(workspace_id).balance


def latest_nightly_check() -> NightlyCheck | None:
    """Return the last nightly check that finished."""
    return NightlyCheck.objects.exclude(finished_at=None).order_by("-day").first()


def failed_account_checks(nightly_check: NightlyCheck) -> QuerySet[AccountCheck]:
    """Return the checks of that night that found a fault."""
    return nightly_check.checks.exclude(fault="").select_related("workspace").order_by("id")


def chain_checkpoints(workspace_id: str) -> dict[int, str]:
    """Return the hashes that nightly checks without a fault recorded: sequence → hash."""
    checks = AccountCheck.objects.filter(workspace_id=workspace_id, fault="", entries__gt=0)
    return dict(checks.values_list("entries", "last_hash"))


def upcoming_expiries(account: Account) -> list[tuple[datetime, int]]:
    """Return each moment at which remaining credits expire, and how many, soonest first."""
    expiries: dict[datetime, int] = {}
    lots = usable_lots_for(account.workspace_id)
    for lot, left in remaining_in_lots(lots, balance=account.balance):
        if lot.expires_at is not None and left:
            expiries[lot.expires_at] = expiries.get(lot.expires_at, 0) + left
    return list(expiries.items())


def credit_requests_for(workspace_id: str) -> QuerySet[CreditRequest]:
    """Return the workspace's requests, newest first, with plan and requesting user."""
    requests = CreditRequest.objects.filter(workspace_id=workspace_id)
    return requests.select_related("plan", "asked_by").order_by("-created_at", "-id")
