"""Invitations: creating, accepting, revoking, and the email."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.queries import entries_for
from apps.audit.services import user_actor
from apps.core.ids import new_id
from apps.workspaces.errors import (
    AlreadyMember,
    InvitationEmailMismatch,
    InvitationError,
    InvitationExpired,
    InvitationNotFound,
    InvitationRevoked,
    InvitationUsed,
)
from apps.workspaces.letters import send_letters
from apps.workspaces.models import Invitation, Member, Role
from apps.workspaces.queries import invitation_token, open_invitations_for
from apps.workspaces.services import (
    SEND_LETTERS_TASK,
    accept_invitation,
    invite,
    remove_member,
    revoke_invitation,
)
from tests.factories import Team, make_team, make_user
from tests.task_runner import run_queued_tasks
from tests.workspaces.members import actor_for, get_member, roles_by_email, verify_email

pytestmark = pytest.mark.usefixtures("no_other_letters")


def send(team: Team, email: str, role: Role = Role.MEMBER) -> Invitation:
    alice = get_member(team.workspace, team.alice)
    return invite(
        workspace=team.workspace, email=email, role=role, by=alice, actor=actor_for(alice)
    )


def accept(invitation: Invitation, user: User) -> Member:
    return accept_invitation(token=invitation_token(invitation), user=user, actor=user_actor(user))


def html_body(sent: mail.EmailMessage) -> str:
    assert isinstance(sent, mail.EmailMultiAlternatives)
    return str(sent.alternatives[0][0])


def test_invited_user_gets_the_role_of_the_invitation(team: Team) -> None:
    accept(send(team, team.charlie.email, Role.VIEWER), verify_email(team.charlie))
    assert roles_by_email(team.workspace)[team.charlie.email] == "viewer"
    audited = [
        (entry.actor_label, entry.action) for entry in reversed(entries_for(team.workspace.id))
    ]
    assert audited == [
        (team.alice.email, "invitation.sent"),
        (team.charlie.email, "invitation.accepted"),
    ]


@pytest.mark.parametrize("change", [str.upper, str.title, lambda email: f"  {email} "])
def test_invitation_ignores_case_and_spaces_of_the_address(team: Team, change: Any) -> None:
    accept(send(team, change(team.charlie.email)), verify_email(team.charlie))
    assert roles_by_email(team.workspace)[team.charlie.email] == "member"


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "a@b.c\nBcc: d@e.f", "x" * 250 + "@e.com"])
def test_invalid_address_is_rejected(team: Team, email: str) -> None:
    with pytest.raises(ValidationError):
        send(team, email)
    assert open_invitations_for(team.workspace.id).count() == 0


@pytest.mark.parametrize("role", ["owner", "king", ""])
def test_invalid_role_is_rejected(team: Team, role: Any) -> None:
    with pytest.raises(ValidationError):
        send(team, "dana@example.com", role)


def test_member_cannot_be_invited(team: Team) -> None:
    with pytest.raises(AlreadyMember):
        send(team, team.bob.email.upper())


def test_new_invitation_replaces_the_open_one(team: Team) -> None:
    first = send(team, team.charlie.email, Role.ADMIN)
    second = send(team, team.charlie.email.upper(), Role.VIEWER)
    assert list(open_invitations_for(team.workspace.id)) == [second]
    with pytest.raises(InvitationRevoked):
        accept(first, verify_email(team.charlie))
    assert accept(second, team.charlie).role == "viewer"


def test_database_rejects_a_second_open_invitation(team: Team) -> None:
    first = send(team, team.charlie.email)
    with pytest.raises(IntegrityError, match="workspaces_one_open_invitation"):
        Invitation.objects.create(
            workspace=team.workspace,
            email=first.email.upper(),
            role=Role.VIEWER,
            expires_at=first.expires_at,
        )


def test_revoked_invitation_cannot_be_accepted(team: Team) -> None:
    invitation, alice = send(team, team.charlie.email), get_member(team.workspace, team.alice)
    revoke_invitation(invitation=invitation, actor=actor_for(alice))
    revoke_invitation(invitation=invitation, actor=actor_for(alice))
    with pytest.raises(InvitationRevoked):
        accept(invitation, verify_email(team.charlie))
    assert entries_for(team.workspace.id).filter(action="invitation.revoked").count() == 1


def test_accepted_invitation_cannot_be_revoked(team: Team) -> None:
    invitation, alice = send(team, team.charlie.email), get_member(team.workspace, team.alice)
    accept(invitation, verify_email(team.charlie))
    revoke_invitation(invitation=invitation, actor=actor_for(alice))
    invitation.refresh_from_db()
    assert (invitation.revoked_at, invitation.accepted_by) == (None, team.charlie)


def test_expired_invitation_cannot_be_accepted(team: Team) -> None:
    invitation = send(team, team.charlie.email)
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now())
    with pytest.raises(InvitationExpired):
        accept(invitation, verify_email(team.charlie))


def test_invitation_expires_after_seven_days(team: Team) -> None:
    left = send(team, team.charlie.email).expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


def test_invitation_is_rejected_for_another_address(team: Team) -> None:
    invitation = send(team, "dana@example.com")
    with pytest.raises(InvitationEmailMismatch):
        accept(invitation, verify_email(team.charlie))
    assert team.charlie.email not in roles_by_email(team.workspace)


def test_invitation_requires_a_verified_address(team: Team) -> None:
    with pytest.raises(InvitationEmailMismatch):
        accept(send(team, team.charlie.email), team.charlie)


def test_accepting_twice_returns_the_same_member(team: Team) -> None:
    invitation = send(team, team.charlie.email)
    assert accept(invitation, verify_email(team.charlie)) == accept(invitation, team.charlie)


def test_removed_member_cannot_reuse_the_link(team: Team) -> None:
    invitation, alice = send(team, team.charlie.email), get_member(team.workspace, team.alice)
    member = accept(invitation, verify_email(team.charlie))
    remove_member(workspace=team.workspace, member=member, by=alice, actor=actor_for(alice))
    with pytest.raises(InvitationUsed):
        accept(invitation, team.charlie)


def test_accepting_does_not_change_the_role_of_a_member(team: Team) -> None:
    invitation = send(team, team.charlie.email, Role.VIEWER)
    Member.objects.create(workspace=team.workspace, user=team.charlie, role=Role.ADMIN)
    assert accept(invitation, verify_email(team.charlie)).role == "admin"


@pytest.mark.parametrize("token", ["", "x", "a~b", "c" * 25, "\x00", "é~é"])
def test_invalid_token_is_rejected(team: Team, token: str) -> None:
    with pytest.raises(InvitationNotFound):
        accept_invitation(token=token, user=team.charlie, actor=user_actor(team.charlie))


def test_forged_token_is_rejected(team: Team) -> None:
    first, second = send(team, team.charlie.email), send(team, "dana@example.com")
    forged = f"{second.pk}~{invitation_token(first).split('~')[1]}"
    with pytest.raises(InvitationNotFound):
        accept_invitation(token=forged, user=team.charlie, actor=user_actor(team.charlie))


def test_concurrent_accepts_create_one_member(committed: None) -> None:
    team = make_team()
    invitation, charlie = send(team, team.charlie.email), verify_email(team.charlie)
    barrier = Barrier(4)

    def accept_again(_: int) -> str:
        try:
            barrier.wait()
            return str(accept(invitation, charlie).id)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        member_ids = set(threads.map(accept_again, range(4)))
    assert member_ids == {get_member(team.workspace, charlie).id}
    assert entries_for(team.workspace.id).filter(action="invitation.accepted").count() == 1


def test_concurrent_invites_leave_one_open_invitation(committed: None) -> None:
    team, email = make_team(), f"dana-{new_id()}@example.com"
    barrier = Barrier(4)

    def invite_again(_: int) -> None:
        try:
            barrier.wait()
            send(team, email)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(invite_again, range(4)))
    assert open_invitations_for(team.workspace.id).count() == 1


def test_email_is_sent_by_a_task_after_the_commit(
    team: Team, django_capture_on_commit_callbacks: Any
) -> None:
    run_queued_tasks()
    with django_capture_on_commit_callbacks(execute=True):
        invitation = send(team, "dana@example.com", Role.ADMIN)
        assert run_queued_tasks(SEND_LETTERS_TASK) == []
    assert run_queued_tasks(SEND_LETTERS_TASK) == [SEND_LETTERS_TASK]
    (sent,) = mail.outbox
    assert sent.to == ["dana@example.com"]
    assert sent.subject == "You are invited to a workspace on Parley"
    link = f"http://127.0.0.1:8000/invitations/{invitation_token(invitation)}"
    html = html_body(sent)
    assert (sent.body.count(link), html.count(f'href="{link}"')) == (1, 1)
    assert f"{team.alice.email} invited you" in sent.body


def test_revoked_invitation_sends_no_email(team: Team) -> None:
    invitation, alice = send(team, "dana@example.com"), get_member(team.workspace, team.alice)
    revoke_invitation(invitation=invitation, actor=actor_for(alice))
    send_letters(seconds=5)
    assert mail.outbox == []
    assert list(team.workspace.letters.values_list("status", flat=True)) == ["void"]


def test_workspace_name_is_escaped_in_the_email(team: Team) -> None:
    team.workspace.name = '<img src=x onerror="alert(1)">\nBcc: eve@example.com'
    team.workspace.save()
    send(team, "dana@example.com")
    send_letters(seconds=5)
    (sent,) = mail.outbox
    assert "<img" not in html_body(sent)
    assert (sent.subject.count("\n"), sent.bcc) == (0, [])


def test_closed_workspace_accepts_no_invitation(team: Team) -> None:
    invitation = send(team, team.charlie.email)
    now = timezone.now()
    type(team.workspace).objects.filter(pk=team.workspace.pk).update(
        deletion_due_at=now, closed_at=now
    )
    with pytest.raises(InvitationError):
        accept(invitation, verify_email(team.charlie))


def test_invitations_are_listed_per_workspace(team: Team) -> None:
    mine = send(team, make_user().email)
    charlie = get_member(team.other_workspace, team.charlie)
    invite(
        workspace=team.other_workspace,
        email="eve@example.com",
        role=Role.VIEWER,
        by=charlie,
        actor=actor_for(charlie),
    )
    assert list(open_invitations_for(team.workspace.id)) == [mine]
