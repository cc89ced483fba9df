"""How many invitations are sent, and what their emails say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone

from apps.core.ids import new_id
from apps.core.text import name_in_email
from apps.workspaces.errors import TooManyInvitations
from apps.workspaces.letters import send_letters
from apps.workspaces.models import Invitation, Letter, Role, Workspace
from apps.workspaces.services import invite, revoke_invitation
from apps.workspaces.services.invitation_limits import FROM_PERSON, FROM_WORKSPACE, TO_MAILBOX
from tests.factories import Team, make_user, make_workspace
from tests.workspaces.members import actor_for, add_new_member, get_member

AN_HOUR, A_DAY = TO_MAILBOX


def send(workspace: Workspace, email: str) -> Invitation:
    owner = workspace.members.get(role=Role.OWNER)
    return invite(
        workspace=workspace, email=email, role=Role.MEMBER, by=owner, actor=actor_for(owner)
    )


def make_older(by: timedelta) -> None:
    Invitation.objects.update(created_at=timezone.now() - by)


@pytest.mark.parametrize("email", ["dana@example.com", "DANA@example.com", "dana+{}@example.com"])
def test_mailbox_gets_few_invitations_from_all_workspaces(db: None, email: str) -> None:
    for number in range(AN_HOUR.count):
        send(make_workspace(), email.format(number))
    with pytest.raises(TooManyInvitations, match="Try again in an hour"):
        send(make_workspace(), "dana@example.com")
    assert Letter.objects.filter(recipient__icontains="dana").count() == AN_HOUR.count
    for other in ("danae@example.com", "dana@example.org", "x.dana@example.com"):
        send(make_workspace(), other)


def test_revoked_and_replaced_invitations_count(team: Team) -> None:
    owner = get_member(team.workspace, team.alice)
    for _ in range(AN_HOUR.count):
        invitation = send(team.workspace, "dana@example.com")
    revoke_invitation(invitation=invitation, actor=actor_for(owner))
    with pytest.raises(TooManyInvitations):
        send(team.workspace, "dana@example.com")


def test_mailbox_has_a_limit_a_day(db: None) -> None:
    for _ in range(A_DAY.count // AN_HOUR.count):
        for _ in range(AN_HOUR.count):
            send(make_workspace(), "dana@example.com")
        make_older(AN_HOUR.time)
    with pytest.raises(TooManyInvitations, match="Try again tomorrow"):
        send(make_workspace(), "dana@example.com")
    make_older(A_DAY.time)
    send(make_workspace(), "dana@example.com")


def old_invitations(workspace: Workspace, count: int) -> None:
    """Invitations of the workspace that other people sent a minute ago."""
    now = timezone.now()
    Invitation.objects.bulk_create(
        Invitation(
            workspace=workspace,
            email=f"{new_id()}@example.com",
            role=Role.VIEWER,
            expires_at=now,
            revoked_at=now,
            created_at=now - timedelta(minutes=1),
        )
        for _ in range(count)
    )


def test_workspace_sends_few_invitations(team: Team) -> None:
    old_invitations(team.workspace, FROM_WORKSPACE[0].count)
    with pytest.raises(TooManyInvitations):
        send(team.workspace, "dana@example.com")
    send(team.other_workspace, "dana@example.com")


def test_person_sends_few_invitations_from_all_workspaces(db: None) -> None:
    owner = make_user()
    first, second = make_workspace(owner), make_workspace(owner)
    old_invitations(first, FROM_PERSON[0].count)
    Invitation.objects.update(invited_by=owner)
    with pytest.raises(TooManyInvitations):
        send(second, "dana@example.com")
    Invitation.objects.update(invited_by=add_new_member(first, Role.ADMIN).user)
    send(second, "dana@example.com")


def test_concurrent_invitations_keep_the_limit(committed: None) -> None:
    workspaces, email = [make_workspace() for _ in range(8)], f"dana-{new_id()}@example.com"
    barrier = Barrier(8)

    def try_to_send(workspace: Workspace) -> int:
        try:
            barrier.wait(timeout=30)
            send(workspace, email)
        except TooManyInvitations:
            return 0
        finally:
            connections.close_all()
        return 1

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(try_to_send, workspaces)) == AN_HOUR.count


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Acme", "Acme"),
        ("Acme Inc. & Söhne", "Acme Inc. & Söhne"),
        ("Log in at https://evil.example/x?y", "Log in at https evil example x?y"),
        ("www.evil.example", "www evil example"),
        ("ceo@evil.example", "ceo evil example"),
        ("ceo＠evil．example", "ceo evil example"),
        ("evil。example", "evil example"),
        ("Pay\r\n\r\nhere\u2028now\u0085x", "Pay here now x"),
        ("\u202eelpmaxe\u200b", "elpmaxe"),
        ("\u200b\u2060", "(no name)"),
        ("x" * 120, "x" * 60),
    ],
)
def test_name_in_email_is_one_line_without_links(name: str, shown: str) -> None:
    assert name_in_email(name) == shown


def test_invitation_email_repeats_no_link_of_the_workspace_name(team: Team) -> None:
    Letter.objects.all().delete()
    team.workspace.name = "Your parcel: https://evil.example/pay"
    team.workspace.save(update_fields=["name"])
    send(team.workspace, "dana@example.com")
    send_letters(seconds=5)
    (sent,) = mail.outbox
    assert sent.subject == "You are invited to a workspace on Parley"
    assert "evil.example" not in str(sent.message())
    assert "“Your parcel https evil example pay”" in sent.body
