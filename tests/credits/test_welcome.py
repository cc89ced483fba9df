"""A person gets the credits of a first workspace once."""

from __future__ import annotations

from apps.accounts.models import User
from apps.credits.models import LedgerEntry, Plan
from tests.concurrent_sessions import at_once
from tests.factories import Team, make_user
from tests.workspaces.test_limits import close, make_workspace_of, transfer


def granted_to_workspaces_of(owner: User) -> list[int]:
    """The credits granted to the workspaces that this person created."""
    entries = LedgerEntry.objects.filter(workspace__created_by=owner)
    return list(entries.values_list("amount", flat=True))


def test_workspaces_created_at_once_have_one_welcome(committed: None) -> None:
    owner = make_user()
    assert at_once(lambda _: make_workspace_of(owner)) == {"done": 12}
    assert granted_to_workspaces_of(owner) == [Plan.objects.get(slug="free").monthly_credits]


def test_transferred_or_deleted_workspace_gives_no_second_welcome(team: Team) -> None:
    owner = make_user()
    transfer(make_workspace_of(owner), to=make_user())
    close(make_workspace_of(owner))
    make_workspace_of(owner)
    assert len(granted_to_workspaces_of(owner)) == 1


def test_owner_of_a_transferred_workspace_has_a_welcome_of_their_own(team: Team) -> None:
    owner, other = make_user(), make_user()
    transfer(make_workspace_of(owner), to=other)
    make_workspace_of(other)
    assert len(granted_to_workspaces_of(other)) == 1
