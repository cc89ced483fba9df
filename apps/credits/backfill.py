"""Ledger entries of the past, for databases that are filled rather than lived in: the demo and
the benchmarks. Whatever happens now moves through `services`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from apps.credits.models import Account, EntryKind, LedgerEntry
from apps.credits.services import open_account


@dataclass(frozen=True, slots=True)
class BackfillEntry:
    """Credits that moved at a moment of the past; a charge names its turn."""

    created_at: datetime
    kind: EntryKind
    amount: int
    reason: str = ""
    turn_id: str | None = None


@transaction.atomic
def backfill_entries(*, workspace_id: str, entries: Sequence[BackfillEntry]) -> int:
    """Write these entries, in order of time, on top of today's balance. Returns the balance.

    PostgreSQL refuses all of them if the balance would fall below 0 at any moment.
    """
    open_account(workspace_id=workspace_id)
    account = Account.objects.select_for_update().get(pk=workspace_id)
    balance = account.balance
    rows = []
    for entry in sorted(entries, key=lambda entry: entry.created_at):
        balance += entry.amount
        rows.append(
            LedgerEntry(
                workspace_id=workspace_id,
                kind=entry.kind,
                amount=entry.amount,
                balance_after=balance,
                turn_id=entry.turn_id,
                reason=entry.reason,
                created_at=entry.created_at,
            )
        )
    Account.objects.filter(pk=workspace_id).update(balance=F("balance") + balance - account.balance)
    LedgerEntry.objects.bulk_create(rows, batch_size=1000)
    return balance


@transaction.atomic
def backfill_initial_grants(
    *, workspace_ids: Sequence[str], credits: int, created_at: datetime, reason: str
) -> None:
    """Open the account of each of these workspaces, which have none, with a grant of the past."""
    Account.objects.bulk_create(
        [Account(workspace_id=one, balance=credits) for one in workspace_ids], batch_size=1000
    )
    LedgerEntry.objects.bulk_create(
        [
            LedgerEntry(
                workspace_id=one,
                kind=EntryKind.GRANT,
                amount=credits,
                balance_after=credits,
                reason=reason,
                created_at=created_at,
            )
            for one in workspace_ids
        ],
        batch_size=1000,
    )
