"""The hash chain of the ledger finds changed, removed and inserted entries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.ids import new_id
from apps.credits.backfill import BackfillEntry, backfill_entries
from apps.credits.ledger_chain import ChainTip, Fault, verify_chain
from apps.credits.models import EntryKind, LedgerEntry
from apps.credits.services import adjust, charge, grant, hold, reverse
from tests.credits.ledger_tampering import execute_without_triggers, rewrite_hashes
from tests.factories import Team

REASONS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)


def post_five_entries(team: Team) -> list[LedgerEntry]:
    """Post five entries of a workspace, each with other columns filled."""
    workspace_id = team.workspace.id
    granted = grant(
        workspace_id=workspace_id,
        credits=100,
        reason='Grüße, "world"\n\\ 😀 \x7f\x01',
        category="goodwill",
        reference="ticket 7",
        expires_at=datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=UTC),
        from_ip="2001:db8::7",
        created_by=team.charlie,
    )
    hold(workspace_id=workspace_id, credits=9)
    charged = charge(workspace_id=workspace_id, held=9, credits=3, turn_id=new_id())
    assert charged is not None
    deducted = adjust(workspace_id=workspace_id, credits=-7, reason="x", from_ip="192.0.2.7")
    refunded = reverse(workspace_id=workspace_id, entry_id=charged.id, reason="y")
    return [
        granted,
        charged,
        deducted,
        refunded,
        grant(workspace_id=workspace_id, credits=1, reason=""),
    ]


def test_each_workspace_has_a_valid_chain_from_one(team: Team) -> None:
    entries = post_five_entries(team)
    theirs = grant(workspace_id=team.other_workspace.id, credits=5, reason="x")
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert (theirs.sequence, len({entry.hash for entry in entries})) == (1, 5)
    assert verify_chain(team.workspace.id) == (ChainTip(5, entries[-1].hash, 94), None)
    assert verify_chain(team.other_workspace.id) == (ChainTip(1, theirs.hash, 5), None)
    assert verify_chain(new_id()) == (ChainTip(), None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reason=REASONS,
    reference=REASONS,
    credits=st.integers(1, 10**12),
    expires_at=st.none() | st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1),
    from_ip=st.sampled_from([None, "::", "::ffff:192.0.2.7"]) | st.ip_addresses().map(str),
)
def test_python_and_postgresql_agree_on_every_entry(team: Team, **fields: Any) -> None:
    grant(workspace_id=team.workspace.id, **fields)
    assert verify_chain(team.workspace.id)[1] is None


def test_entries_of_one_statement_are_chained(team: Team) -> None:
    past = [
        BackfillEntry(datetime(2026, 1, day, tzinfo=UTC), EntryKind.GRANT, day)
        for day in range(1, 29)
    ]
    backfill_entries(workspace_id=team.workspace.id, entries=past)
    tip, fault = verify_chain(team.workspace.id)
    assert (tip.sequence, tip.balance, fault) == (28, sum(range(1, 29)), None)


@pytest.mark.parametrize(
    "change",
    [
        "amount = -8, balance_after = 89",
        "balance_after = 1",
        "reason = 'another'",
        "reference = 'another'",
        "category = 'promotion'",
        "created_at = created_at + interval '1 microsecond'",
        "from_ip = NULL",
        "kind = 'expiry'",
        "turn_id = 'another'",
        "hash = repeat('0', 64)",
    ],
)
def test_changed_entry_is_found(team: Team, change: str) -> None:
    entry = post_five_entries(team)[2]
    execute_without_triggers(f"UPDATE credits_ledgerentry SET {change} WHERE id = %s", entry.id)
    tip, fault = verify_chain(team.workspace.id)
    assert (tip.sequence, fault) == (2, Fault("Entry 3 was changed.", entry.id))


def test_removed_entry_is_found(team: Team) -> None:
    entries = post_five_entries(team)
    execute_without_triggers("DELETE FROM credits_ledgerentry WHERE id = %s", entries[2].id)
    assert verify_chain(team.workspace.id)[1] == Fault(
        "Entry 3 is missing: 4 comes next.", entries[3].id
    )


def test_entry_moved_from_another_workspace_is_found(team: Team) -> None:
    post_five_entries(team)
    theirs = grant(workspace_id=team.other_workspace.id, credits=5, reason="x")
    statement = "UPDATE credits_ledgerentry SET workspace_id = %s, sequence = 6 WHERE id = %s"
    execute_without_triggers(statement, team.workspace.id, theirs.id)
    assert verify_chain(team.workspace.id)[1] == Fault("Entry 6 was changed.", theirs.id)


def test_recomputed_chain_differs_from_checkpoint(team: Team) -> None:
    entries = post_five_entries(team)
    checkpoints = {entries[3].sequence: entries[3].hash}
    execute_without_triggers(
        "UPDATE credits_ledgerentry SET reason = 'z' WHERE id = %s", entries[2].id
    )
    rewrite_hashes(team.workspace.id)
    assert verify_chain(team.workspace.id)[1] is None
    assert verify_chain(team.workspace.id, checkpoints=checkpoints)[1] == Fault(
        "The chain was recomputed: entry 4 had another hash at the last check.", entries[3].id
    )


def test_truncated_chain_is_found_by_checkpoint(team: Team) -> None:
    entries = post_five_entries(team)
    execute_without_triggers("DELETE FROM credits_lot WHERE entry_id = %s", entries[4].id)
    execute_without_triggers("DELETE FROM credits_ledgerentry WHERE id = %s", entries[4].id)
    fault = Fault("Entries are missing: 5 existed, 4 are left.")
    assert verify_chain(team.workspace.id, checkpoints={5: entries[4].hash})[1] == fault
    assert verify_chain(team.workspace.id, last=5)[1] == fault


def other_workspace(team: Team, entry: LedgerEntry) -> dict[str, Any]:
    return {"workspace": team.other_workspace, "reverses": entry, "amount": -entry.amount}


def other_amount(team: Team, entry: LedgerEntry) -> dict[str, Any]:
    return {"workspace": team.workspace, "reverses": entry, "amount": -1}


def same_sign(team: Team, entry: LedgerEntry) -> dict[str, Any]:
    return {"workspace": team.workspace, "reverses": entry, "amount": entry.amount}


@pytest.mark.parametrize("wrong", [other_workspace, other_amount, same_sign])
def test_invalid_reversal_is_rejected(
    team: Team, wrong: Callable[[Team, LedgerEntry], dict[str, Any]]
) -> None:
    entry = grant(workspace_id=team.workspace.id, credits=5, reason="x")
    with (
        pytest.raises(IntegrityError, match="must be of the same workspace and contrary"),
        transaction.atomic(),
    ):
        LedgerEntry.objects.create(kind="adjustment", balance_after=9, **wrong(team, entry))


def test_entry_is_reversed_once(team: Team) -> None:
    entry = grant(workspace_id=team.workspace.id, credits=5, reason="x")
    reverse(workspace_id=team.workspace.id, entry_id=entry.id, reason="x")
    with pytest.raises(IntegrityError, match="credits_reversed_once"), transaction.atomic():
        LedgerEntry.objects.create(
            workspace=team.workspace, kind="adjustment", amount=-5, balance_after=0, reverses=entry
        )


def test_given_sequence_and_hash_are_overwritten(team: Team) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credits_ledgerentry (id, workspace_id, kind, amount, balance_after,"
            " reason, sequence, hash) VALUES (%s, %s, 'grant', 1, 1, '', 77, 'forged')",
            [new_id(), team.workspace.id],
        )
    assert verify_chain(team.workspace.id)[1] is None
