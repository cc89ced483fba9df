"""Deletion of a workspace: scheduled, cancelled, closed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.queries import entries_for
from apps.workspaces.errors import NameMismatch
from apps.workspaces.letters import send_letters
from apps.workspaces.models import Invitation, Role, Workspace
from apps.workspaces.queries import memberships_for, workspaces_to_close
from apps.workspaces.services import (
    cancel_deletion,
    close_workspace,
    create_workspace,
    invite,
    schedule_deletion,
)
from tests.factories import Team
from tests.workspaces.members import actor_for, add_new_member, get_member, roles_by_email

pytestmark = pytest.mark.usefixtures("no_other_letters")


def schedule(team: Team, name: str | None = None) -> Workspace:
    alice = get_member(team.workspace, team.alice)
    typed = team.workspace.name if name is None else name
    return schedule_deletion(workspace=team.workspace, typed_name=typed, actor=actor_for(alice))


def due_at(team: Team) -> datetime:
    at = Workspace.objects.get(pk=team.workspace.pk).deletion_due_at
    assert at is not None
    return at


@pytest.mark.parametrize("typed", ["", "other", "DEMO"])
def test_deletion_requires_the_exact_name(team: Team, typed: str) -> None:
    with pytest.raises(NameMismatch):
        schedule(team, typed)
    team.workspace.refresh_from_db()
    assert team.workspace.deletion_due_at is None


def test_deletion_is_due_after_seven_days(team: Team) -> None:
    before = roles_by_email(team.workspace)
    schedule(team)
    assert timedelta(days=6, hours=23) < due_at(team) - timezone.now() <= timedelta(days=7)
    early = due_at(team) - timedelta(microseconds=1)
    assert close_workspace(workspace_id=team.workspace.id, now=early) is False
    assert (roles_by_email(team.workspace), list(workspaces_to_close(early))) == (before, [])


def test_repeated_request_does_not_move_the_date(team: Team) -> None:
    schedule(team)
    day = due_at(team)
    schedule(team)
    assert due_at(team) == day
    assert entries_for(team.workspace.id).filter(action="workspace.deletion_scheduled").count() == 1


def test_deletion_can_be_cancelled_until_it_is_due(team: Team) -> None:
    schedule(team)
    day = due_at(team)
    cancel_deletion(
        workspace=team.workspace, actor=actor_for(get_member(team.workspace, team.alice))
    )
    assert close_workspace(workspace_id=team.workspace.id, now=day) is False
    actions = [entry.action for entry in reversed(entries_for(team.workspace.id))]
    assert actions == ["workspace.deletion_scheduled", "workspace.deletion_cancelled"]


def test_closing_frees_the_slug_and_removes_members(team: Team) -> None:
    slug, alice = team.workspace.slug, get_member(team.workspace, team.alice)
    invite(
        workspace=team.workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=alice,
        actor=actor_for(alice),
    )
    schedule(team)
    assert close_workspace(workspace_id=team.workspace.id, now=due_at(team)) is True
    team.workspace.refresh_from_db()
    assert (team.workspace.slug, team.workspace.name) == (team.workspace.id, "Deleted workspace")
    assert roles_by_email(team.workspace) == {}
    assert Invitation.objects.filter(workspace=team.workspace).count() == 0
    assert list(memberships_for(team.alice)) == []
    assert roles_by_email(team.other_workspace) == {team.charlie.email: "owner"}
    assert create_workspace(slug=slug, owner=team.charlie).slug == slug


def test_closed_workspace_stays_closed(team: Team) -> None:
    schedule(team)
    day = due_at(team)
    actor = actor_for(get_member(team.workspace, team.alice))
    assert close_workspace(workspace_id=team.workspace.id, now=day) is True
    assert close_workspace(workspace_id=team.workspace.id, now=day) is False
    assert cancel_deletion(workspace=team.workspace, actor=actor).closed_at == day
    assert entries_for(team.workspace.id)[0].action == "workspace.closed"


def test_owners_get_an_email_with_a_link_to_cancel(team: Team) -> None:
    other = add_new_member(team.workspace, Role.OWNER)
    schedule(team)
    send_letters(seconds=5)
    recipients = sorted([[team.alice.email], [other.user.email]])
    assert sorted(sent.to for sent in mail.outbox) == recipients
    link = f"http://127.0.0.1:8000/w/{team.workspace.slug}/settings"
    assert [sent.body.count(link) for sent in mail.outbox] == [1, 1]


def test_cancelled_deletion_sends_no_email(team: Team) -> None:
    schedule(team)
    cancel_deletion(
        workspace=team.workspace, actor=actor_for(get_member(team.workspace, team.alice))
    )
    send_letters(seconds=5)
    assert mail.outbox == []


def test_database_rejects_closing_before_the_due_date(team: Team) -> None:
    now = timezone.now()
    mine = Workspace.objects.filter(pk=team.workspace.pk)
    for fields in (
        {"closed_at": now, "deletion_due_at": now + timedelta(seconds=1)},
        {"erased_at": now},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            mine.update(**fields)
