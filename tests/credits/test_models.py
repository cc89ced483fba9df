"""Constraints and triggers of the credits tables."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from apps.core.ids import new_id
from apps.credits.models import Account, EntryKind, LedgerEntry
from apps.credits.services import grant
from tests.factories import Team, grant_credits


def assert_rejected(statement: str, *parameters: Any) -> str:
    """Run a statement that must raise IntegrityError; return its message."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            cursor.execute(statement, parameters)
    return str(caught.value)


def insert(team: Team, **fields: Any) -> LedgerEntry:
    row: dict[str, Any] = {
        "workspace": team.workspace,
        "kind": EntryKind.GRANT,
        "amount": 1,
        "balance_after": 1,
    }
    with transaction.atomic():
        return LedgerEntry.objects.create(**row | fields)


@pytest.mark.parametrize(
    ("statement", "verb"),
    [
        ("UPDATE credits_ledgerentry SET amount = 1000 WHERE id = %s", "UPDATE"),
        ("UPDATE credits_ledgerentry SET reason = reason WHERE id = %s", "UPDATE"),
        ("DELETE FROM credits_ledgerentry WHERE id = %s", "DELETE"),
    ],
)
def test_ledger_entry_cannot_be_changed_or_deleted(team: Team, statement: str, verb: str) -> None:
    entry = grant(workspace_id=team.workspace.id, credits=10, reason="x")
    assert f"append-only: {verb} is refused" in assert_rejected(statement, entry.id)
    entry.refresh_from_db()
    assert entry.amount == 10


@pytest.mark.parametrize("table", ["credits_ledgerentry", "workspaces_workspace"])
def test_ledger_cannot_be_truncated(team: Team, table: str) -> None:
    grant_credits(team.workspace, 10)
    assert "append-only: TRUNCATE is refused" in assert_rejected(f"TRUNCATE {table} CASCADE")
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


@pytest.mark.parametrize(
    ("balance", "held"),
    [(-1, 0), (-1, -1), (10, 11), (10, -1)],
)
def test_held_is_between_zero_and_the_balance(team: Team, balance: int, held: int) -> None:
    grant_credits(team.workspace, 10)
    statement = "UPDATE credits_account SET balance = %s, held = %s WHERE workspace_id = %s"
    assert "credits_held_is_covered" in assert_rejected(statement, balance, held, team.workspace.id)
    assert Account.objects.get(workspace=team.workspace).balance == 10


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (EntryKind.GRANT, -1),
        (EntryKind.GRANT, 0),
        (EntryKind.PURCHASE, -1),
        (EntryKind.REFUND, -1),
        (EntryKind.CHARGE, 1),
        (EntryKind.CHARGE, 0),
        (EntryKind.EXPIRY, 1),
        (EntryKind.EMBEDDING, 1),
        (EntryKind.EMBEDDING, 0),
        (EntryKind.ADJUSTMENT, 0),
        ("gift", 1),
    ],
)
def test_amount_has_the_sign_of_its_kind(team: Team, kind: str, amount: int) -> None:
    with pytest.raises(IntegrityError, match="credits_amount_has_the_sign_of_its_kind"):
        insert(team, kind=kind, amount=amount, turn_id=new_id())


def test_balance_after_is_never_negative(team: Team) -> None:
    with pytest.raises(IntegrityError, match="credits_balance_never_negative"):
        insert(team, balance_after=-1)


def test_charge_requires_a_turn(team: Team) -> None:
    with pytest.raises(IntegrityError, match="credits_charge_names_its_turn"):
        insert(team, kind=EntryKind.CHARGE, amount=-1)


def test_turn_is_charged_once(team: Team) -> None:
    turn_id = new_id()
    insert(team, kind=EntryKind.CHARGE, amount=-1, turn_id=turn_id)
    with pytest.raises(IntegrityError, match="credits_one_charge_a_turn"):
        insert(team, kind=EntryKind.CHARGE, amount=-1, turn_id=turn_id)


def test_charged_turn_can_be_refunded(team: Team) -> None:
    turn_id = new_id()
    insert(team, kind=EntryKind.CHARGE, amount=-1, turn_id=turn_id)
    insert(team, kind=EntryKind.REFUND, amount=1, turn_id=turn_id)
    assert LedgerEntry.objects.filter(turn_id=turn_id).count() == 2


def test_workspace_with_credits_cannot_be_deleted(team: Team) -> None:
    grant_credits(team.workspace, 10)
    with pytest.raises(ProtectedError):
        team.workspace.delete()
    assert Account.objects.get(pk=team.workspace.id).balance == 10
