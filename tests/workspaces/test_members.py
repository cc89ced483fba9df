"""Roles of members; a workspace always has an owner."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction

from apps.audit.queries import entries_for
from apps.workspaces.errors import LastOwner, OwnerRequired, WorkspaceError
from apps.workspaces.models import Member, Role
from apps.workspaces.services import (
    change_role,
    leave_workspace,
    make_owner,
    remove_member,
    transfer_ownership,
)
from tests.factories import Team, make_team
from tests.workspaces.members import actor_for, add_new_member, get_member, roles_by_email


def audited_actions(team: Team) -> list[tuple[str, str, str]]:
    entries = reversed(entries_for(team.workspace.id))
    return [(entry.actor_label, entry.action, entry.target_label) for entry in entries]


def change(team: Team, member: Member, role: Role, by: Member) -> Member:
    return change_role(
        workspace=team.workspace, member=member, role=role, by=by, actor=actor_for(by)
    )


def test_role_change_is_audited(team: Team) -> None:
    alice, bob = get_member(team.workspace, team.alice), get_member(team.workspace, team.bob)
    change(team, bob, Role.ADMIN, alice)
    assert roles_by_email(team.workspace) == {team.alice.email: "owner", team.bob.email: "admin"}
    assert audited_actions(team) == [(team.alice.email, "member.role_changed", team.bob.email)]
    assert entries_for(team.workspace.id)[0].details == {"role": ["member", "admin"]}


def test_unchanged_role_is_not_audited(team: Team) -> None:
    alice, bob = get_member(team.workspace, team.alice), get_member(team.workspace, team.bob)
    change(team, bob, Role.MEMBER, alice)
    assert audited_actions(team) == []


def test_admin_cannot_add_change_or_remove_an_owner(team: Team) -> None:
    alice, bob = get_member(team.workspace, team.alice), get_member(team.workspace, team.bob)
    admin = add_new_member(team.workspace, Role.ADMIN)
    before = roles_by_email(team.workspace)
    with pytest.raises(OwnerRequired):
        change(team, bob, Role.OWNER, admin)
    with pytest.raises(OwnerRequired):
        change(team, alice, Role.VIEWER, admin)
    with pytest.raises(OwnerRequired):
        remove_member(workspace=team.workspace, member=alice, by=admin, actor=actor_for(admin))
    with pytest.raises(OwnerRequired):
        transfer_ownership(workspace=team.workspace, to=bob, by=admin, actor=actor_for(admin))
    assert (roles_by_email(team.workspace), audited_actions(team)) == (before, [])


def test_role_is_read_again_before_a_change(team: Team) -> None:
    alice, stale = (
        get_member(team.workspace, team.alice),
        add_new_member(team.workspace, Role.OWNER),
    )
    change(team, get_member(team.workspace, stale.user), Role.ADMIN, alice)
    assert stale.role == Role.OWNER
    with pytest.raises(OwnerRequired):
        change(team, alice, Role.MEMBER, stale)


def test_last_owner_cannot_be_demoted_or_removed_or_leave(team: Team) -> None:
    alice = get_member(team.workspace, team.alice)
    with pytest.raises(LastOwner):
        change(team, alice, Role.ADMIN, alice)
    with pytest.raises(LastOwner):
        remove_member(workspace=team.workspace, member=alice, by=alice, actor=actor_for(alice))
    with pytest.raises(LastOwner):
        leave_workspace(workspace=team.workspace, member=alice, actor=actor_for(alice))
    assert roles_by_email(team.workspace)[team.alice.email] == "owner"


def test_owner_can_leave_if_there_is_another(team: Team) -> None:
    alice = get_member(team.workspace, team.alice)
    other = add_new_member(team.workspace, Role.OWNER)
    leave_workspace(workspace=team.workspace, member=alice, actor=actor_for(alice))
    assert roles_by_email(team.workspace) == {other.user.email: "owner", team.bob.email: "member"}
    assert audited_actions(team) == [(team.alice.email, "member.left", team.alice.email)]


def test_member_is_removed_from_one_workspace_only(team: Team) -> None:
    alice = get_member(team.workspace, team.alice)
    charlie = Member.objects.create(workspace=team.workspace, user=team.charlie)
    remove_member(workspace=team.workspace, member=charlie, by=alice, actor=actor_for(alice))
    assert team.charlie.email not in roles_by_email(team.workspace)
    assert roles_by_email(team.other_workspace) == {team.charlie.email: "owner"}


def test_member_of_another_workspace_is_not_found(team: Team) -> None:
    alice, charlie = (
        get_member(team.workspace, team.alice),
        get_member(team.other_workspace, team.charlie),
    )
    with pytest.raises(Member.DoesNotExist):
        remove_member(workspace=team.workspace, member=charlie, by=alice, actor=actor_for(alice))
    with pytest.raises(Member.DoesNotExist):
        change(team, charlie, Role.VIEWER, alice)


def test_ownership_is_transferred(team: Team) -> None:
    alice, bob = get_member(team.workspace, team.alice), get_member(team.workspace, team.bob)
    transfer_ownership(workspace=team.workspace, to=bob, by=alice, actor=actor_for(alice))
    assert roles_by_email(team.workspace) == {team.alice.email: "admin", team.bob.email: "owner"}
    assert audited_actions(team) == [
        (team.alice.email, "member.ownership_received", team.bob.email)
    ]


def test_transfer_to_oneself_changes_nothing(team: Team) -> None:
    alice, again = get_member(team.workspace, team.alice), get_member(team.workspace, team.alice)
    transfer_ownership(workspace=team.workspace, to=again, by=alice, actor=actor_for(alice))
    assert roles_by_email(team.workspace)[team.alice.email] == "owner"


def test_make_owner_checks_no_role(team: Team) -> None:
    bob = get_member(team.workspace, team.bob)
    make_owner(member=bob, actor=actor_for(bob))
    assert roles_by_email(team.workspace)[team.bob.email] == "owner"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workspaces_member SET role = 'admin' WHERE workspace_id = %s",
        "DELETE FROM workspaces_member WHERE workspace_id = %s",
    ],
)
def test_database_rejects_removing_the_last_owner(team: Team, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(IntegrityError, match="without an owner"), transaction.atomic():
            cursor.execute(statement, [team.workspace.id])
    assert roles_by_email(team.workspace)[team.alice.email] == "owner"


def run_concurrently(*steps: Callable[[], object]) -> list[str]:
    """Run the steps concurrently, each in a thread; return "done" or the error of each, sorted."""
    barrier = Barrier(len(steps))

    def run(step: Callable[[], object]) -> str:
        try:
            barrier.wait()
            step()
        except WorkspaceError as refusal:
            return type(refusal).__name__
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(steps)) as threads:
        return sorted(threads.map(run, steps))


@pytest.mark.parametrize("_", range(4))
def test_concurrent_leaves_keep_one_owner(committed: None, _: int) -> None:
    team = make_team()
    first, second = (
        get_member(team.workspace, team.alice),
        add_new_member(team.workspace, Role.OWNER),
    )
    results = run_concurrently(
        lambda: leave_workspace(workspace=team.workspace, member=first, actor=actor_for(first)),
        lambda: leave_workspace(workspace=team.workspace, member=second, actor=actor_for(second)),
    )
    assert results == ["LastOwner", "done"]
    assert list(roles_by_email(team.workspace).values()).count("owner") == 1


@pytest.mark.parametrize("_", range(4))
def test_concurrent_demotions_keep_one_owner(committed: None, _: int) -> None:
    team = make_team()
    first, second = (
        get_member(team.workspace, team.alice),
        add_new_member(team.workspace, Role.OWNER),
    )
    results = run_concurrently(
        lambda: change(team, get_member(team.workspace, second.user), Role.VIEWER, first),
        lambda: change(team, get_member(team.workspace, first.user), Role.VIEWER, second),
    )
    assert results == ["OwnerRequired", "done"]
    assert list(roles_by_email(team.workspace).values()).count("owner") == 1


def test_database_keeps_an_owner_under_concurrent_updates(committed: None) -> None:
    team = make_team()
    members = [get_member(team.workspace, team.alice), add_new_member(team.workspace, Role.OWNER)]
    barrier = Barrier(2)

    def demote(member: Member) -> str:
        try:
            with transaction.atomic():
                Member.objects.filter(pk=member.pk).update(role=Role.ADMIN)
                barrier.wait()
        except IntegrityError:
            return "refused"
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(demote, members)) == ["done", "refused"]
