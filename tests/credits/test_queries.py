from __future__ import annotations

from apps.core.ids import new_id
from apps.credits.queries import Balance, balance_after_turn, balance_for, ledger_sum
from apps.credits.services import charge, hold
from tests.factories import Team, give


def test_credits_of_a_workspace_without_an_account_are_nothing(team: Team) -> None:
    give(team.outside, 10)
    assert balance_for(team.workspace.id) == Balance(0, 0)
    assert ledger_sum(team.workspace.id) == 0


def test_ledger_sum_counts_one_workspace_only(team: Team) -> None:
    give(team.workspace, 3)
    give(team.workspace, 4)
    give(team.outside, 100)
    assert ledger_sum(team.workspace.id) == 7


def test_balance_after_turn_is_that_of_its_charge(team: Team) -> None:
    give(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=4)
    turn_id = new_id()
    charge(workspace_id=team.workspace.id, held=4, credits=4, turn_id=turn_id)
    give(team.workspace, 50)
    assert balance_after_turn(team.workspace.id, turn_id) == 6


def test_balance_after_a_free_turn_is_todays(team: Team) -> None:
    give(team.workspace, 10)
    assert balance_after_turn(team.workspace.id, new_id()) == 10


def test_balance_after_a_foreign_turn_says_nothing_of_it(team: Team) -> None:
    give(team.outside, 10)
    hold(workspace_id=team.outside.id, credits=4)
    turn_id = new_id()
    charge(workspace_id=team.outside.id, held=4, credits=4, turn_id=turn_id)
    assert balance_after_turn(team.workspace.id, turn_id) == 0
