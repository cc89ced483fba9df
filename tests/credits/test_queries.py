from __future__ import annotations

from apps.core.ids import new_id
from apps.credits.queries import Balance, balance_after_turn, balance_for, ledger_sum
from apps.credits.services import charge, hold
from tests.factories import Team, grant_credits


def test_balance_without_an_account_is_zero(team: Team) -> None:
    grant_credits(team.other_workspace, 10)
    assert balance_for(team.workspace.id) == Balance(0, 0)
    assert ledger_sum(team.workspace.id) == 0


def test_ledger_sum_counts_one_workspace(team: Team) -> None:
    grant_credits(team.workspace, 3)
    grant_credits(team.workspace, 4)
    grant_credits(team.other_workspace, 100)
    assert ledger_sum(team.workspace.id) == 7


def test_balance_after_turn_is_from_its_charge(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=4)
    turn_id = new_id()
    charge(workspace_id=team.workspace.id, held=4, credits=4, turn_id=turn_id)
    grant_credits(team.workspace, 50)
    assert balance_after_turn(team.workspace.id, turn_id) == 6


def test_balance_after_free_turn_is_the_current_one(team: Team) -> None:
    grant_credits(team.workspace, 10)
    assert balance_after_turn(team.workspace.id, new_id()) == 10


def test_balance_after_turn_ignores_other_workspaces(team: Team) -> None:
    grant_credits(team.other_workspace, 10)
    hold(workspace_id=team.other_workspace.id, credits=4)
    turn_id = new_id()
    charge(workspace_id=team.other_workspace.id, held=4, credits=4, turn_id=turn_id)
    assert balance_after_turn(team.workspace.id, turn_id) == 0
