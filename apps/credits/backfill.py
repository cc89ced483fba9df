"""Backfill past ledger entries for the demo and benchmarks. Current ones go through `services`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from apps.credits.models import Account, EntryKind, LedgerEntry
from apps.credits.services import lock_account


@dataclass(frozen=True, slots=True)
class BackfillEntry:
    """A past change of the balance. A charge names its turn."""

    created_at: datetime
    kind: EntryKind
    amount: int
    reason: str = ""
    turn_id: str | None = None


@transaction.atomic
def backfill_entries(*, workspace_id: str, entries: Sequence[BackfillEntry]) -> int:
    """Insert these entries in chronological order and return the new balance.

    A check constraint rejects all of them if the balance would fall below 0 at any moment.
    """
    account = lock_account(workspace_id=workspace_id)
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
    """Create an account with one past grant for each of these workspaces, which have none."""
    Account.objects.bulk_create(
        [Account(workspace_id=id, balance=credits) for id in workspace_ids], batch_size=1000
    )
    LedgerEntry.objects.bulk_create(
        [
            LedgerEntry(
                workspace_id=id,
                kind=EntryKind.GRANT,
                amount=credits,
                balance_after=credits,
                reason=reason,
                created_at=created_at,
            )
            for id in workspace_ids
        ],
        batch_size=1000,
    )


def backfill_charges(*, rows: str, parameters: Mapping[str, Any]) -> None:
    """Insert one charge of 1 credit for each row of a query, and deduct it from the account.

    `rows`: a SELECT of (id, workspace_id, balance_after, turn_id, created_at), in order.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{_INSERT_CHARGES} FROM ({rows}) AS charge", parameters)
        cursor.execute(_DEDUCT_CHARGES.format(rows=rows), parameters)


_INSERT_CHARGES = """
INSERT INTO credits_ledgerentry (id, workspace_id, kind, amount, balance_after, turn_id, reason,
                                 created_at)
SELECT id, workspace_id, 'charge', -1, balance_after, turn_id, '', created_at
"""
_DEDUCT_CHARGES = """
UPDATE credits_account AS account SET balance = balance - charged.credits
FROM (SELECT workspace_id, count(*) AS credits FROM ({rows}) AS charge GROUP BY 1) AS charged
WHERE account.workspace_id = charged.workspace_id
"""
