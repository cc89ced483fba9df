"""Random sequences of operations keep account and ledger consistent, on real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.core.ids import new_id
from apps.credits.errors import InsufficientCredits
from apps.credits.models import MAX_CREDITS, Account, LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from apps.credits.services import adjust, charge, charge_embedding, grant, hold, release
from tests.factories import Team, make_user, make_workspace

AMOUNTS = st.one_of(
    st.integers(0, 30),
    st.integers(0, 10**6),
    st.integers(MAX_CREDITS - 9, MAX_CREDITS + 9),
    st.just(2**62),
)
SIGNED = st.one_of(AMOUNTS, AMOUNTS.map(lambda amount: -amount))


class Credits(RuleBasedStateMachine):
    """One workspace, with its expected balance and open holds as plain numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.workspace_id = make_workspace(make_user("alice")).id
        self.other_workspace_id = make_workspace(make_user("charlie")).id
        grant(workspace_id=self.other_workspace_id, credits=7, reason="x")
        self.balance = 0
        self.open_holds: list[int] = []
        self.entry_ids: list[str] = []

    @property
    def free(self) -> int:
        return self.balance - sum(self.open_holds)

    def post(self, entry: LedgerEntry | None) -> None:
        assert entry is not None
        self.balance += entry.amount
        self.entry_ids.append(entry.id)

    @rule(credits=SIGNED)
    def grant(self, credits: int) -> None:
        if credits < 1:
            with pytest.raises(ValueError, match="at least 1"):
                grant(workspace_id=self.workspace_id, credits=credits, reason="x")
        elif credits > MAX_CREDITS:
            with pytest.raises(ValueError, match="at a time"):
                grant(workspace_id=self.workspace_id, credits=credits, reason="x")
        else:
            self.post(grant(workspace_id=self.workspace_id, credits=credits, reason="x"))

    @rule(credits=SIGNED)
    def adjust(self, credits: int) -> None:
        if credits == 0:
            with pytest.raises(ValueError, match="changes nothing"):
                adjust(workspace_id=self.workspace_id, credits=credits, reason="x")
        elif abs(credits) > MAX_CREDITS:
            with pytest.raises(ValueError, match="at a time"):
                adjust(workspace_id=self.workspace_id, credits=credits, reason="x")
        elif self.free + credits < 0:
            with pytest.raises(InsufficientCredits):
                adjust(workspace_id=self.workspace_id, credits=credits, reason="x")
        else:
            self.post(adjust(workspace_id=self.workspace_id, credits=credits, reason="x"))

    @rule(credits=AMOUNTS)
    def hold(self, credits: int) -> None:
        if credits > self.free:
            with pytest.raises(InsufficientCredits):
                hold(workspace_id=self.workspace_id, credits=credits)
        else:
            hold(workspace_id=self.workspace_id, credits=credits)
            self.open_holds.append(credits)

    @precondition(lambda self: self.free > 0)
    @rule(data=st.data())
    def hold_within_free_balance(self, data: st.DataObject) -> None:
        credits = data.draw(st.one_of(st.just(self.free), st.integers(1, self.free)))
        hold(workspace_id=self.workspace_id, credits=credits)
        self.open_holds.append(credits)

    @precondition(lambda self: self.open_holds)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        held = self.open_holds.pop(data.draw(st.integers(0, len(self.open_holds) - 1)))
        release(workspace_id=self.workspace_id, credits=held)

    @rule(extra=st.integers(1, 1000))
    def release_more_than_is_held(self, extra: int) -> None:
        with pytest.raises(InsufficientCredits):
            release(workspace_id=self.workspace_id, credits=sum(self.open_holds) + extra)

    @precondition(lambda self: self.open_holds)
    @rule(data=st.data())
    def charge(self, data: st.DataObject) -> None:
        held = self.open_holds.pop(data.draw(st.integers(0, len(self.open_holds) - 1)))
        credits = data.draw(st.one_of(st.integers(0, held), AMOUNTS))
        entry = charge(workspace_id=self.workspace_id, held=held, credits=credits, turn_id=new_id())
        assert (-entry.amount if entry else 0) == min(credits, held)
        if entry:
            self.post(entry)

    @rule(credits=AMOUNTS)
    def charge_embedding(self, credits: int) -> None:
        entry = charge_embedding(
            workspace_id=self.workspace_id, credits=credits, reason="x", reference="x"
        )
        assert (-entry.amount if entry else 0) == min(credits, self.free)
        if entry:
            self.post(entry)

    @rule(extra=st.integers(1, 1000), credits=st.integers(1, 1000))
    def charge_without_a_hold(self, extra: int, credits: int) -> None:
        held = sum(self.open_holds) + extra
        with pytest.raises(InsufficientCredits):
            charge(workspace_id=self.workspace_id, held=held, credits=credits, turn_id=new_id())

    @invariant()
    def account_matches_the_model(self) -> None:
        account = balance_for(self.workspace_id)
        assert (account.balance, account.held) == (self.balance, sum(self.open_holds))
        assert 0 <= account.held <= account.balance

    @invariant()
    def balance_is_the_sum_of_the_ledger(self) -> None:
        assert ledger_sum(self.workspace_id) == self.balance

    @invariant()
    def other_workspace_is_unchanged(self) -> None:
        account = Account.objects.get(pk=self.other_workspace_id)
        assert (account.balance, account.held) == (7, 0)

    def teardown(self) -> None:
        rows = LedgerEntry.objects.filter(workspace_id=self.workspace_id).in_bulk()
        assert set(rows) == set(self.entry_ids)
        before = 0
        for entry in (rows[entry_id] for entry_id in self.entry_ids):
            assert entry.balance_after == before + entry.amount
            before = entry.balance_after


def test_account_matches_ledger_after_any_operations(team: Team) -> None:
    machine: Any = Credits
    run_state_machine_as_test(
        machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )
