"""Limits of a person and a workspace hold for requests at the same time, and cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client, override_settings
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import SYSTEM, user_actor
from apps.core.errors import NotFound
from apps.core.ids import new_id
from apps.dashboard.onboarding.services import create_workspace
from apps.workspaces.errors import InvitationNotFound, TooManyMembers, TooManyWorkspaces
from apps.workspaces.models import Invitation, Member, Role, Workspace
from apps.workspaces.queries import invitation_token
from apps.workspaces.services import (
    accept_invitation,
    add_member,
    close_workspace,
    invite,
    request_erasure,
    schedule_deletion,
    transfer_ownership,
)
from tests.concurrent_sessions import after, at_once
from tests.conversations.export_factory import make_pending_export
from tests.factories import Team, make_chatbot, make_user, make_webhook_endpoint


def make_workspace_of(owner: User) -> Workspace:
    return create_workspace(name=f"Co {new_id()}", owner=owner, actor=user_actor(owner))


def transfer(workspace: Workspace, *, to: User) -> None:
    """Transfer the workspace from its only member, who leaves it, to another person."""
    by = Member.objects.get(workspace=workspace)
    member = add_member(workspace=workspace, user=to, role=Role.MEMBER)
    transfer_ownership(workspace=workspace, to=member, by=by, actor=user_actor(by.user))
    by.delete()


def close(workspace: Workspace) -> None:
    """Close the workspace, as if its notice period were over."""
    actor = user_actor(make_user())
    schedule_deletion(workspace=workspace, typed_name=workspace.name, actor=actor)
    Workspace.objects.filter(pk=workspace.pk).update(
        deletion_due_at=F("deletion_due_at") - timedelta(days=8)
    )
    assert close_workspace(workspace_id=workspace.pk, now=timezone.now())


def invite_from(team: Team, email: str) -> Invitation:
    by = Member.objects.get(workspace=team.workspace, user=team.alice)
    return invite(
        workspace=team.workspace,
        email=email,
        role=Role.MEMBER,
        by=by,
        actor=user_actor(team.alice),
    )


def test_workspaces_created_at_once_are_limited(committed: None) -> None:
    owner = make_user()
    with override_settings(MAX_WORKSPACES_PER_PERSON=3):
        outcomes = at_once(lambda _: make_workspace_of(owner))
    assert outcomes == {"done": 3, "TooManyWorkspaces": 9}


@override_settings(MAX_WORKSPACES_PER_PERSON=2)
def test_transferred_workspaces_count_until_they_close(team: Team) -> None:
    owner, other = make_user(), make_user()
    first, _ = make_workspace_of(owner), make_workspace_of(owner)
    transfer(first, to=other)
    with pytest.raises(TooManyWorkspaces, match="2 workspaces"):
        make_workspace_of(owner)
    make_workspace_of(other)
    close(first)
    make_workspace_of(owner)


@override_settings(MAX_WORKSPACES_PER_PERSON=1)
def test_refused_workspace_is_explained_on_the_page(client: Client, team: Team) -> None:
    owner = make_user()
    make_workspace_of(owner)
    client.force_login(owner)
    response = client.post("/workspaces/new", {"name": "Another"})
    assert "You created 1 workspaces" in response.content.decode()
    assert Workspace.objects.filter(created_by=owner).count() == 1


def test_invitations_sent_at_once_are_limited(live_team: Team) -> None:
    with override_settings(MAX_MEMBERS=5):  # of which Alice and Bob are two
        outcomes = at_once(lambda number: invite_from(live_team, f"{number}@example.com"))
    assert outcomes == {"done": 3, "TooManyMembers": 9}


def test_invitation_sent_again_takes_no_further_place(team: Team) -> None:
    with override_settings(MAX_MEMBERS=3):
        for _ in range(2):
            invite_from(team, "eve@example.com")
        with pytest.raises(TooManyMembers):
            invite_from(team, "mallory@example.com")


def test_invitation_is_not_accepted_while_the_workspace_closes(live_team: Team) -> None:
    dave = make_user("dave")
    token = invitation_token(invite_from(live_team, dave.email))
    outcome = after(
        lambda: close(live_team.workspace),
        lambda: accept_invitation(token=token, user=dave, actor=user_actor(dave)),
    )
    assert isinstance(outcome, InvitationNotFound)
    assert not Member.objects.filter(workspace=live_team.workspace).exists()


def test_nobody_is_invited_while_the_workspace_closes(live_team: Team) -> None:
    outcome = after(
        lambda: close(live_team.workspace), lambda: invite_from(live_team, "eve@example.com")
    )
    assert isinstance(outcome, NotFound)
    assert not Invitation.objects.filter(workspace=live_team.workspace).exists()


def make_webhook(team: Team) -> object:
    return make_webhook_endpoint(team.workspace)


def make_erasure(team: Team) -> object:
    return request_erasure(workspace=team.workspace, user_id="u", actor=SYSTEM)


@pytest.mark.parametrize(
    "create",
    [
        make_webhook,
        make_erasure,
        lambda team: make_pending_export(team.workspace),
        lambda team: make_chatbot(team.workspace),
    ],
    ids=["webhook endpoint", "erasure", "export", "chatbot"],
)
def test_nothing_is_created_while_the_workspace_closes(
    live_team: Team, create: Callable[[Team], object]
) -> None:
    outcome = after(lambda: close(live_team.workspace), lambda: create(live_team))
    assert isinstance(outcome, NotFound)
