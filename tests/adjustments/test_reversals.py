"""Reversing ledger entries."""

from __future__ import annotations

import pytest

from apps.adjustments.errors import AdjustmentRefused
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for
from tests.adjustments.adjustment_factories import (
    approve_as,
    make_line,
    make_pending_adjustment,
    make_posted_adjustment,
    make_staff,
    submit_errors,
)
from tests.factories import Team, grant_credits

pytestmark = pytest.mark.usefixtures("limits")


def test_entry_is_reversed_once(team: Team) -> None:
    entry = make_posted_adjustment(team.workspace, 40).lines.get().entry
    assert entry is not None
    back = (
        make_posted_adjustment(team.workspace, -40, reverses_id=entry.id, reference="T-1")
        .lines.get()
        .entry
    )
    assert back is not None
    assert (back.amount, back.reverses, back.category) == (-40, entry, "correction")
    assert (back.reference, balance_for(team.workspace.id).balance) == ("T-1", 0)
    grant_credits(team.workspace, 100)
    again = make_line(team.workspace, -40, reverses_id=entry.id)
    finance = make_staff("finance")
    assert submit_errors(finance, again) == ["This entry was already reversed."]
    of_it = make_line(team.workspace, 40, reverses_id=back.id)
    assert submit_errors(finance, of_it) == [
        "A reversal can't be reversed. Post an adjustment instead."
    ]


def test_invalid_reversals_are_rejected(team: Team) -> None:
    entry = make_posted_adjustment(team.workspace, 40).lines.get().entry
    assert entry is not None
    grant_credits(team.other_workspace, 100)
    finance = make_staff("finance")
    contrary = ["A reversal must match its entry exactly."]
    assert submit_errors(finance, make_line(team.workspace, -39, reverses_id=entry.id)) == contrary
    foreign = make_line(team.other_workspace, -40, reverses_id=entry.id)
    assert submit_errors(finance, foreign) == ["Entry not found in this workspace's ledger."]
    deducted = make_posted_adjustment(team.workspace, -10).lines.get().entry
    assert deducted is not None
    reversal = make_line(team.workspace, 10, category="goodwill", reverses_id=deducted.id)
    assert submit_errors(make_staff("support"), reversal) == [
        "You can only give goodwill. Ask finance for anything else.",
        *contrary,
    ]


def test_large_reversal_is_approved_once(team: Team) -> None:
    grant_credits(team.workspace, 10_000)
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace)
    grant_credits(team.workspace, 10_000)
    first, second = (
        make_pending_adjustment(team.workspace, -10_000, reverses_id=entry.id) for _ in range(2)
    )
    approve_as(first, make_staff("finance"))
    with pytest.raises(AdjustmentRefused, match="already reversed"):
        approve_as(second, make_staff("finance"))
    assert balance_for(team.workspace.id).balance == 10_000
