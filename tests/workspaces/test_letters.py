"""Emails of workspaces: one job for each recipient, with its own outcome."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from apps.audit.models import AuditEntry
from apps.workspaces.letters import (
    MAX_CONCURRENT,
    RETRY_SECONDS,
    claim_letter,
    delete_old_letters,
    send_letters,
)
from apps.workspaces.models import Letter, LetterKind, Workspace
from apps.workspaces.services import queue_letters
from tests.factories import Team, make_workspace
from tests.smtp_server import SmtpServer
from tests.web_processes import free_port

pytestmark = pytest.mark.usefixtures("no_other_letters")


@pytest.fixture
def server(settings: Settings) -> Iterator[SmtpServer]:
    """The mail server that emails are sent to."""
    with SmtpServer() as started:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", started.port
        yield started


def queue(workspace: Workspace, *recipients: str) -> None:
    """Letters about the deletion of the workspace."""
    due = timezone.now() + timedelta(days=7)
    Workspace.objects.filter(pk=workspace.pk).update(deletion_due_at=due)
    queue_letters(
        workspace_id=workspace.id,
        kind=LetterKind.DELETION,
        subject_id=workspace.id,
        recipients=recipients,
    )


def outcomes(workspace: Workspace) -> dict[str, tuple[str, int]]:
    """Status and attempts by recipient."""
    letters = Letter.objects.filter(workspace=workspace)
    return {each.recipient: (each.status, each.attempts) for each in letters}


def make_due() -> None:
    Letter.objects.filter(status="pending").update(
        next_attempt_at=timezone.now() - timedelta(seconds=1)
    )


def refused_entries(workspace: Workspace) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(workspace=workspace, action__startswith="email.")
    return [(entry.action, entry.target_label) for entry in entries]


def test_refused_recipient_does_not_repeat_or_delay_the_others(
    team: Team, server: SmtpServer
) -> None:
    server.reply_to_recipient = lambda to: "550 no such user" if to.startswith("b") else "250 ok"
    queue(team.workspace, "a@example.com", "b@example.com", "c@example.com")
    queue(team.other_workspace, "d@example.com")
    assert [send_letters(seconds=5), send_letters(seconds=5)] == [4, 0]
    make_due()
    assert send_letters(seconds=5) == 0
    assert sorted(each.recipient for each in server.received) == [
        *("a@example.com", "c@example.com", "d@example.com")
    ]
    assert server.recipients.count("b@example.com") == 1
    assert outcomes(team.workspace) == {
        "a@example.com": ("sent", 1),
        "b@example.com": ("refused", 1),
        "c@example.com": ("sent", 1),
    }
    assert refused_entries(team.workspace) == [("email.refused", "b@example.com")]
    assert Letter.objects.get(recipient="b@example.com").error == "550 no such user"


@pytest.mark.parametrize(
    "recipient", ["ana@ex..ample.com", f"ana@{'ä' * 70}.com", "ana@example.com\nBcc: b@example.com"]
)
def test_impossible_address_is_refused(team: Team, server: SmtpServer, recipient: str) -> None:
    queue(team.workspace, recipient, "z@example.com")
    send_letters(seconds=5)
    assert outcomes(team.workspace) == {recipient: ("refused", 1), "z@example.com": ("sent", 1)}


def test_content_refused_for_good_is_not_sent_again(team: Team, server: SmtpServer) -> None:
    server.reply_to_data = lambda _: "554 looks like spam"
    queue(team.workspace, "a@example.com")
    send_letters(seconds=5)
    assert outcomes(team.workspace) == {"a@example.com": ("refused", 1)}


@pytest.mark.parametrize("reply", ["450 try again", "421 busy"])
def test_letter_refused_for_now_is_tried_again_with_pauses(
    team: Team, server: SmtpServer, reply: str
) -> None:
    server.reply_to_recipient = lambda _: reply
    queue(team.workspace, "a@example.com")
    for seconds in RETRY_SECONDS:
        assert [send_letters(seconds=5), send_letters(seconds=5)] == [1, 0]
        letter = Letter.objects.get(workspace=team.workspace)
        assert letter.next_attempt_at is not None
        assert letter.last_attempt_at is not None
        wait = (letter.next_attempt_at - letter.last_attempt_at).total_seconds()
        assert seconds <= wait < seconds + 40
        make_due()
    send_letters(seconds=5)
    assert outcomes(team.workspace) == {"a@example.com": ("failed", len(RETRY_SECONDS) + 1)}
    assert refused_entries(team.workspace) == [("email.failed", "a@example.com")]
    assert (server.received, refused_entries(team.other_workspace)) == ([], [])


def test_letters_wait_while_the_mail_server_is_away(team: Team, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    queue(team.workspace, "a@example.com", "b@example.com")
    assert send_letters(seconds=5) == 2
    with SmtpServer() as server:
        settings.EMAIL_PORT = server.port
        make_due()
        assert send_letters(seconds=5) == 2
        assert sorted(server.recipients) == ["a@example.com", "b@example.com"]


def test_workspaces_take_turns(team: Team) -> None:
    others = [make_workspace() for _ in range(2)]
    queue(team.workspace, *(f"{number}@busy.example.com" for number in range(5)))
    for workspace in others:
        queue(workspace, f"{workspace.slug}@example.com")
    send_letters(seconds=5)
    domains = [message.to[0].partition("@")[2] for message in mail.outbox]
    assert domains[:3].count("busy.example.com") == 1
    assert domains[3:] == ["busy.example.com"] * 4


def test_workspace_has_a_share_of_all_senders(team: Team) -> None:
    queue(team.workspace, *(f"{number}@example.com" for number in range(5)))
    queue(team.other_workspace, "other@example.com")
    claims = [claim_letter() for _ in range(5)]
    workspaces = [claim.workspace_id for claim in claims if claim]
    assert workspaces.count(team.workspace.id) == MAX_CONCURRENT
    assert workspaces.count(team.other_workspace.id) == 1


def test_letter_of_a_dead_worker_is_sent_when_its_claim_ends(team: Team) -> None:
    queue(team.workspace, "a@example.com")
    assert claim_letter() is not None
    assert (send_letters(seconds=5), mail.outbox) == (0, [])
    past = timezone.now() - timedelta(seconds=1)
    Letter.objects.update(claimed_until=past, next_attempt_at=past)
    assert (send_letters(seconds=5), len(mail.outbox)) == (1, 1)


def test_pending_letter_is_not_written_twice(team: Team) -> None:
    queue(team.workspace, "a@example.com")
    queue(team.workspace, "a@example.com", "b@example.com")
    send_letters(seconds=5)
    assert sorted(message.to[0] for message in mail.outbox) == ["a@example.com", "b@example.com"]


def test_closed_workspace_sends_no_letter(team: Team) -> None:
    queue(team.workspace, "a@example.com")
    now = timezone.now()
    Workspace.objects.filter(pk=team.workspace.pk).update(deletion_due_at=now, closed_at=now)
    send_letters(seconds=5)
    assert (mail.outbox, outcomes(team.workspace)) == ([], {"a@example.com": ("void", 1)})


def test_old_letters_are_deleted(team: Team) -> None:
    queue(team.workspace, "a@example.com", "b@example.com")
    old = timezone.now() - timedelta(days=31)
    Letter.objects.filter(recipient="a@example.com").update(created_at=old)
    assert delete_old_letters() == 1
    assert list(outcomes(team.workspace)) == ["b@example.com"]


def test_claim_reads_one_letter_a_workspace(team: Team) -> None:
    """A workspace with its share running, and many waiting, costs a claim nothing."""
    queue(team.workspace, *(f"{number}@example.com" for number in range(1000)))
    assert [claim_letter() is None for _ in range(3)] == [False, False, True]
    queue(team.other_workspace, "other@example.com")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE workspaces_letter")
    with CaptureQueriesContext(connection) as queries:
        claim = claim_letter()
    assert claim is not None
    assert claim.workspace_id == team.other_workspace.id
    (statement,) = [each["sql"] for each in queries if "WITH RECURSIVE" in each["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        ((plan,),) = cursor.fetchone()
    assert max(loops(plan["Plan"])) <= 10


def loops(plan: dict[str, Any]) -> list[int]:
    """How often each node of a plan runs."""
    children = [count for child in plan.get("Plans", []) for count in loops(child)]
    return [int(plan["Actual Loops"]), *children]
