from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core.ids import new_id
from apps.workspaces.models import Invitation, Member, Role
from apps.workspaces.queries import open_invitations_for
from apps.workspaces.services.invitation_limits import TO_MAILBOX
from tests.dashboard.page_client import (
    clients_by_role,
    count_queries_at_1_and_50_rows,
    login,
    page_path,
    shown_messages,
)
from tests.factories import Team
from tests.workspaces.members import add_new_member, get_member, roles_by_email


def test_members_are_listed_owners_first(team: Team) -> None:
    viewer = add_new_member(team.workspace, Role.VIEWER)
    members = login(team.bob).get(page_path(team.workspace, "members")).context["members"]
    assert [(member.user.email, member.role) for member in members] == [
        (team.alice.email, "owner"),
        (team.bob.email, "member"),
        (viewer.user.email, "viewer"),
    ]


def test_invitation_is_sent_again_and_revoked(team: Team) -> None:
    alice = login(team.alice)
    form = {"email": " Dana@Example.com ", "role": "viewer"}
    for _ in range(2):
        response = alice.post(page_path(team.workspace, "members/invite"), form, follow=True)
        assert shown_messages(response) == ["Invitation sent to Dana@Example.com."]
    (invitation,) = open_invitations_for(team.workspace.id)
    assert (invitation.email, invitation.role) == ("dana@example.com", "viewer")
    response = alice.post(
        page_path(team.workspace, f"invitations/{invitation.id}/revoke"), follow=True
    )
    assert shown_messages(response) == ["Invitation to dana@example.com revoked."]
    assert open_invitations_for(team.workspace.id).count() == 0


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ({"email": "nobody", "role": "viewer"}, "email"),
        ({"email": "", "role": "viewer"}, "email"),
        ({"email": "a@example.com", "role": "owner"}, "role"),
        ({"email": "a@example.com"}, "role"),
    ],
)
def test_invalid_invitation_gets_form_errors(team: Team, form: dict[str, str], wrong: str) -> None:
    response = login(team.alice).post(page_path(team.workspace, "members/invite"), form)
    assert response.status_code == 422
    assert response.context["form"].errors.keys() == {wrong}
    assert Invitation.objects.filter(workspace=team.workspace).count() == 0


def test_too_many_invitations_get_a_form_error(team: Team) -> None:
    alice, form = login(team.alice), {"email": "dana@example.com", "role": "viewer"}
    for _ in range(TO_MAILBOX[0].count):
        assert alice.post(page_path(team.workspace, "members/invite"), form).status_code == 302
    response = alice.post(page_path(team.workspace, "members/invite"), form)
    assert response.status_code == 422
    assert response.context["form"].errors == {
        "email": ["Too many invitations were sent. Try again in an hour."]
    }


def test_member_cannot_be_invited(team: Team) -> None:
    form = {"email": team.bob.email, "role": "viewer"}
    response = login(team.alice).post(page_path(team.workspace, "members/invite"), form)
    assert response.context["form"].errors == {"email": ["This person is already a member."]}


def test_member_role_is_changed_and_member_removed(team: Team) -> None:
    alice, bob = login(team.alice), get_member(team.workspace, team.bob)
    alice.post(page_path(team.workspace, f"members/{bob.id}/role"), {"role": "admin"})
    assert roles_by_email(team.workspace)[team.bob.email] == "admin"
    alice.post(page_path(team.workspace, f"members/{bob.id}/remove"))
    assert roles_by_email(team.workspace) == {team.alice.email: "owner"}
    assert login(team.bob).get(page_path(team.workspace, "members")).status_code == 404


def test_ownership_is_transferred(team: Team) -> None:
    bob = get_member(team.workspace, team.bob)
    login(team.alice).post(page_path(team.workspace, f"members/{bob.id}/transfer"))
    assert roles_by_email(team.workspace) == {team.alice.email: "admin", team.bob.email: "owner"}


def test_last_owner_cannot_leave_or_change_role(team: Team) -> None:
    alice, me = login(team.alice), get_member(team.workspace, team.alice)
    sentence = "A workspace needs an owner. Make another member an owner first."
    for page, form in [
        ("members/leave", {}),
        (f"members/{me.id}/role", {"role": "viewer"}),
        (f"members/{me.id}/remove", {}),
    ]:
        assert shown_messages(alice.post(page_path(team.workspace, page), form, follow=True)) == [
            sentence
        ]
    assert roles_by_email(team.workspace)[team.alice.email] == "owner"


def test_admin_cannot_change_owners(team: Team) -> None:
    admin = clients_by_role(team)["admin"]
    me, bob = get_member(team.workspace, team.alice), get_member(team.workspace, team.bob)
    for page, form in [
        (f"members/{me.id}/role", {"role": "viewer"}),
        (f"members/{me.id}/remove", {}),
        (f"members/{bob.id}/role", {"role": "owner"}),
    ]:
        response = admin.post(page_path(team.workspace, page), form, follow=True)
        assert shown_messages(response) == ["Only owners can add, change or remove owners."]
    assert roles_by_email(team.workspace)[team.alice.email] == "owner"


def test_member_leaves(team: Team) -> None:
    response = login(team.bob).post(page_path(team.workspace, "members/leave"), follow=True)
    assert shown_messages(response) == [f"You left {team.workspace.name}."]
    assert roles_by_email(team.workspace) == {team.alice.email: "owner"}


def test_other_workspaces_members_are_not_found(team: Team) -> None:
    alice, charlie = login(team.alice), get_member(team.other_workspace, team.charlie)
    login(team.charlie).post(
        page_path(team.other_workspace, "members/invite"),
        {"email": "eve@example.com", "role": "viewer"},
    )
    (theirs,) = open_invitations_for(team.other_workspace.id)
    for page in (
        f"members/{charlie.id}/role",
        f"members/{charlie.id}/remove",
        f"members/{charlie.id}/transfer",
        f"invitations/{theirs.id}/revoke",
        "members/nobody/remove",
    ):
        response = alice.post(page_path(team.workspace, page), {"role": "viewer"})
        assert response.status_code == 404, page
    assert roles_by_email(team.other_workspace) == {team.charlie.email: "owner"}
    assert open_invitations_for(team.other_workspace.id).count() == 1


@pytest.mark.parametrize("page", ["members/invite", "members/{id}/role", "members/{id}/remove"])
def test_changing_members_requires_permission(team: Team, page: str) -> None:
    target = add_new_member(team.workspace, Role.VIEWER)
    form = {"role": "viewer", "email": "dana@example.com"}
    found = {
        name: browser.post(page_path(team.workspace, page.format(id=target.id)), form).status_code
        for name, browser in reversed(clients_by_role(team).items())
    }
    assert (found["member"], found["viewer"]) == (403, 403)
    assert (found["outsider"], found["anonymous"]) == (404, 302)
    assert found["admin"] == 302


def test_only_owner_transfers_ownership(team: Team) -> None:
    bob = get_member(team.workspace, team.bob)
    page = page_path(team.workspace, f"members/{bob.id}/transfer")
    browsers = reversed(clients_by_role(team).items())
    assert {name: browser.post(page).status_code for name, browser in browsers} == {
        "anonymous": 302,
        "outsider": 404,
        "viewer": 403,
        "member": 403,
        "admin": 403,
        "owner": 302,
    }
    assert roles_by_email(team.workspace)[team.bob.email] == "owner"


def test_invitations_are_listed_only_with_permission(team: Team) -> None:
    form = {"email": "dana@example.com", "role": "viewer"}
    login(team.alice).post(page_path(team.workspace, "members/invite"), form)
    shown = {
        name: "dana@example.com"
        in browser.get(page_path(team.workspace, "members")).content.decode()
        for name, browser in clients_by_role(team).items()
    }
    assert [name for name, is_shown in shown.items() if is_shown] == ["owner", "admin"]


def test_query_count_is_constant(team: Team, alice: Client) -> None:
    def add_members_and_invitations(count: int) -> None:
        users = [User(email=f"{new_id()}@example.com") for _ in range(count)]
        User.objects.bulk_create(users)
        Member.objects.bulk_create(Member(workspace=team.workspace, user=user) for user in users)
        Invitation.objects.bulk_create(
            Invitation(
                workspace=team.workspace,
                email=f"{new_id()}@example.com",
                role=Role.VIEWER,
                invited_by=user,
                expires_at=timezone.now(),
            )
            for user in users
        )

    first, last = count_queries_at_1_and_50_rows(
        alice, page_path(team.workspace, "members"), add_members_and_invitations
    )
    assert first == last
