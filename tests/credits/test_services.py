from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.core.ids import new_id
from apps.credits.errors import InsufficientCredits
from apps.credits.models import MAX_CREDITS, Account, Category, EntryKind, LedgerEntry
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.credits.services import (
    adjust,
    charge,
    grant,
    hold,
    open_account,
    release,
    reverse,
)
from tests.factories import Team, grant_credits


def entries(workspace_id: str) -> list[tuple[str, int, int]]:
    rows = LedgerEntry.objects.filter(workspace_id=workspace_id).order_by("created_at")
    return list(rows.values_list("kind", "amount", "balance_after"))


def test_grant_adds_credits_and_an_entry(team: Team) -> None:
    entry = grant(
        workspace_id=team.workspace.id, credits=40, reason="Welcome", created_by=team.charlie
    )
    entry.refresh_from_db()
    assert (entry.kind, entry.amount, entry.balance_after) == ("grant", 40, 40)
    assert (entry.reason, entry.created_by, entry.workspace) == (
        "Welcome",
        team.charlie,
        team.workspace,
    )
    assert balance_for(team.workspace.id) == Balance(40, 0)


def test_grant_and_adjust_store_entry_details(team: Team) -> None:
    named: dict[str, Any] = {
        "category": Category.GOODWILL,
        "reference": "ticket 7",
        "expires_at": datetime(2031, 2, 3, tzinfo=UTC),
        "from_ip": "192.0.2.7",
    }
    for post in (grant, adjust):
        entry = post(workspace_id=team.workspace.id, credits=1, reason="x", **named)
        entry.refresh_from_db()
        assert {name: getattr(entry, name) for name in named} == named
    with pytest.raises(ValueError, match="can't have an expiry"):
        adjust(workspace_id=team.workspace.id, credits=-1, reason="x", **named)
    with pytest.raises(ValueError, match="reference of at most 200"):
        grant(workspace_id=team.workspace.id, credits=1, reason="x", reference="x" * 201)


def test_grant_leaves_other_workspaces_alone(team: Team) -> None:
    grant_credits(team.other_workspace, 5)
    grant_credits(team.workspace, 40)
    assert balance_for(team.other_workspace.id) == Balance(5, 0)
    assert entries(team.other_workspace.id) == [("grant", 5, 5)]


@pytest.mark.parametrize("kind", [EntryKind.PURCHASE, EntryKind.REFUND])
def test_grant_accepts_credit_kinds(team: Team, kind: EntryKind) -> None:
    entry = grant(workspace_id=team.workspace.id, credits=1, reason="x", kind=kind)
    assert entry.kind == kind


NOT_GIVEN = [EntryKind.CHARGE, EntryKind.EXPIRY, EntryKind.EMBEDDING, EntryKind.ADJUSTMENT]


@pytest.mark.parametrize("kind", NOT_GIVEN)
def test_grant_rejects_other_kinds(team: Team, kind: EntryKind) -> None:
    with pytest.raises(ValueError, match="does not give credits"):
        grant(workspace_id=team.workspace.id, credits=1, reason="x", kind=kind)
    assert Account.objects.filter(workspace=team.workspace).count() == 0


@pytest.mark.parametrize("credits", [0, -1, -(2**40)])
def test_grant_rejects_less_than_one_credit(team: Team, credits: int) -> None:
    with pytest.raises(ValueError, match="at least 1 credit"):
        grant(workspace_id=team.workspace.id, credits=credits, reason="x")
    assert entries(team.workspace.id) == []


def test_grant_rejects_more_than_the_maximum(team: Team) -> None:
    with pytest.raises(ValueError, match="at most 1,000,000,000,000 credits"):
        grant(workspace_id=team.workspace.id, credits=MAX_CREDITS + 1, reason="x")
    assert entries(team.workspace.id) == []


def test_grant_rejects_a_long_reason(team: Team) -> None:
    grant(workspace_id=team.workspace.id, credits=1, reason="x" * 500)
    with pytest.raises(ValueError, match="at most 500 characters"):
        grant(workspace_id=team.workspace.id, credits=1, reason="x" * 501)
    assert entries(team.workspace.id) == [("grant", 1, 1)]


def test_adjust_adds_and_deducts(team: Team) -> None:
    adjust(workspace_id=team.workspace.id, credits=10, reason="too few")
    adjust(workspace_id=team.workspace.id, credits=-4, reason="too many")
    assert entries(team.workspace.id) == [("adjustment", 10, 10), ("adjustment", -4, 6)]


def test_adjust_rejects_zero(team: Team) -> None:
    with pytest.raises(ValueError, match="changes nothing"):
        adjust(workspace_id=team.workspace.id, credits=0, reason="x")


def test_adjust_cannot_deduct_held_credits(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=7)
    with pytest.raises(InsufficientCredits):
        adjust(workspace_id=team.workspace.id, credits=-4, reason="x")
    adjust(workspace_id=team.workspace.id, credits=-3, reason="x")
    assert balance_for(team.workspace.id) == Balance(7, 7)


def test_reverse_posts_the_opposite_entry_once(team: Team) -> None:
    granted = grant(workspace_id=team.workspace.id, credits=10, reason="twice by mistake")
    reversal = reverse(workspace_id=team.workspace.id, entry_id=granted.id, reason="fixed")
    reversal.refresh_from_db()
    assert (reversal.kind, reversal.amount, reversal.reverses) == ("adjustment", -10, granted)
    assert (reversal.category, reversal.reason) == ("correction", "fixed")
    assert entries(team.workspace.id) == [("grant", 10, 10), ("adjustment", -10, 0)]
    for entry, why in ((granted, "already reversed"), (reversal, "reversal can't be reversed")):
        with pytest.raises(ValueError, match=why):
            reverse(workspace_id=team.workspace.id, entry_id=entry.id, reason="x")


def test_reversed_charge_is_a_refund(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    entry = charge(workspace_id=team.workspace.id, held=6, credits=2, turn_id=new_id())
    assert entry is not None
    refund = reverse(workspace_id=team.workspace.id, entry_id=entry.id, reason="a bad answer")
    assert (refund.kind, refund.amount, refund.turn_id) == ("refund", 2, entry.turn_id)


def test_reverse_rejects_entries_of_other_workspaces(team: Team) -> None:
    theirs = grant(workspace_id=team.other_workspace.id, credits=10, reason="x")
    with pytest.raises(ValueError, match="Entry not found"):
        reverse(workspace_id=team.workspace.id, entry_id=theirs.id, reason="x")


def test_reverse_cannot_deduct_spent_credits(team: Team) -> None:
    granted = grant(workspace_id=team.workspace.id, credits=10, reason="x")
    adjust(workspace_id=team.workspace.id, credits=-1, reason="x")
    with pytest.raises(InsufficientCredits):
        reverse(workspace_id=team.workspace.id, entry_id=granted.id, reason="x")


def test_hold_writes_no_entry(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=10)
    assert balance_for(team.workspace.id) == Balance(10, 10)
    assert entries(team.workspace.id) == [("grant", 10, 10)]


def test_hold_rejects_more_than_the_free_balance(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    with pytest.raises(InsufficientCredits):
        hold(workspace_id=team.workspace.id, credits=5)
    assert balance_for(team.workspace.id) == Balance(10, 6)


def test_hold_without_an_account_is_rejected(team: Team) -> None:
    grant_credits(team.other_workspace, 100)
    with pytest.raises(InsufficientCredits):
        hold(workspace_id=team.workspace.id, credits=1)


def test_hold_rejects_negative_credits(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    with pytest.raises(ValueError, match="less than 0"):
        hold(workspace_id=team.workspace.id, credits=-1)
    assert balance_for(team.workspace.id) == Balance(10, 6)


def test_hold_of_zero_needs_no_account(team: Team) -> None:
    hold(workspace_id=team.workspace.id, credits=0)
    assert balance_for(team.workspace.id) == Balance(0, 0)


def test_release_frees_the_hold(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    release(workspace_id=team.workspace.id, credits=6)
    assert balance_for(team.workspace.id) == Balance(10, 0)


def test_release_rejects_more_than_is_held(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    with pytest.raises(InsufficientCredits):
        release(workspace_id=team.workspace.id, credits=7)
    assert balance_for(team.workspace.id) == Balance(10, 6)


def test_charge_deducts_the_price_and_releases_the_rest(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    turn_id = new_id()
    entry = charge(workspace_id=team.workspace.id, held=6, credits=2, turn_id=turn_id)
    assert entry is not None
    assert (entry.kind, entry.amount, entry.balance_after, entry.turn_id) == (
        "charge",
        -2,
        8,
        turn_id,
    )
    assert balance_for(team.workspace.id) == Balance(8, 0)


def test_charge_is_limited_to_the_hold(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    charge(workspace_id=team.workspace.id, held=6, credits=9, turn_id=new_id())
    assert balance_for(team.workspace.id) == Balance(4, 0)
    assert ledger_sum(team.workspace.id) == 4


def test_charge_of_zero_only_releases_the_hold(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=6)
    assert charge(workspace_id=team.workspace.id, held=6, credits=0, turn_id=new_id()) is None
    assert balance_for(team.workspace.id) == Balance(10, 0)
    assert entries(team.workspace.id) == [("grant", 10, 10)]


def test_charge_without_a_hold_is_rejected(team: Team) -> None:
    grant_credits(team.workspace, 10)
    with pytest.raises(InsufficientCredits):
        charge(workspace_id=team.workspace.id, held=6, credits=2, turn_id=new_id())
    assert balance_for(team.workspace.id) == Balance(10, 0)
    assert entries(team.workspace.id) == [("grant", 10, 10)]


def test_open_account_creates_it_once(team: Team) -> None:
    first = open_account(workspace_id=team.workspace.id)
    assert open_account(workspace_id=team.workspace.id) == first
    assert (first.balance, first.held) == (0, 0)
