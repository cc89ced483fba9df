"""Reads of credits."""

from __future__ import annotations

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
)


@dataclass(frozen=True, slots=True)
class Balance:
    """A workspace's credits: all of them, and the part that running turns hold."""

    balance: int
    held: int


def balance_for(workspace_id: str) -> Balance:
    """The workspace's credits; nothing where no account has been opened yet."""
    row = Account.objects.filter(pk=workspace_id).values_list("balance", "held").first()
    return Balance(*row) if row else Balance(0, 0)


def balances_for(workspace_ids: Collection[str]) -> Mapping[str, Balance]:
    """The credits of those of the workspaces that have an account."""
    rows = Account.objects.filter(pk__in=workspace_ids).values_list("pk", "balance", "held")
    return {workspace_id: Balance(balance, held) for workspace_id, balance, held in rows}


def ledger_entries_for(
    workspace_id: str,
    *,
    kind: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[LedgerEntry]:
    """The workspace's ledger entries that match everything that is given."""
    found = LedgerEntry.objects.filter(workspace_id=workspace_id)
    if kind is not None:
        found = found.filter(kind=kind)
    if since is not None:
        found = found.filter(created_at__gte=since)
    if before is not None:
        found = found.filter(created_at__lt=before)
    return found


def ledger_sum(workspace_id: str) -> int:
    """The sum of the workspace's ledger, which its balance must equal."""
    total = LedgerEntry.objects.filter(workspace_id=workspace_id).aggregate(sum=Sum("amount"))
    return int(total["sum"] or 0)


def charge_for_turn(workspace_id: str, turn_id: str) -> LedgerEntry | None:
    """The entry that charged a turn; None if it cost nothing."""
    charges = LedgerEntry.objects.filter(workspace_id=workspace_id, kind=EntryKind.CHARGE)
    return charges.filter(turn_id=turn_id).first()


def balance_after_turn(workspace_id: str, turn_id: str) -> int:
    """The balance that a settled turn left: after its charge, or today's if it cost nothing."""
    charge = charge_for_turn(workspace_id, turn_id)
    return charge.balance_after if charge else balance_for(workspace_id).balance


def latest_nightly_check() -> NightlyCheck | None:
    """The newest check of the books that has ended."""
    return NightlyCheck.objects.exclude(finished_at=None).order_by("-day").first()


def failed_account_checks(nightly_check: NightlyCheck) -> QuerySet[AccountCheck]:
    """The accounts whose books did not agree that night."""
    return nightly_check.checks.exclude(fault="").select_related("workspace").order_by("id")


def chain_checkpoints(workspace_id: str) -> dict[int, str]:
    """Where the account's chain stood in each night in which it was whole: number → hash."""
    noted = AccountCheck.objects.filter(workspace_id=workspace_id, fault="", entries__gt=0)
    return dict(noted.values_list("entries", "last_hash"))


def upcoming_expiries(account: Account) -> list[tuple[datetime, int]]:
    """What is left of the account's credits and will expire: when, and how many; soonest first.

    Credits that expire at one moment are told as one.
    """
    found: dict[datetime, int] = {}
    for lot, left in remaining_in_lots(
        usable_lots_for(account.workspace_id), balance=account.balance
    ):
        if lot.expires_at is not None and left:
            found[lot.expires_at] = found.get(lot.expires_at, 0) + left
    return list(found.items())


def credit_requests_for(workspace_id: str) -> QuerySet[CreditRequest]:
    """What the workspace has asked for, newest first, with the plan and who asked."""
    found = CreditRequest.objects.filter(workspace_id=workspace_id)
    return found.select_related("plan", "asked_by").order_by("-created_at", "-id")
