"""Two workers that run a periodic task at the same moment do its work once.

Every task of Celery beat has a case here: a new one without a case fails. A case prepares work for
the task in committed rows and says what there is to see of it once it has been done once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connections
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from apps.adjustments.models import Adjustment
from apps.api_keys.models import ApiKey, IdempotentAnswer
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.conversations.models import Conversation, Message, Passage
from apps.conversations.models.export import Export
from apps.conversations.queries import conversations_for
from apps.conversations.search import index_new_messages
from apps.core.ids import new_id
from apps.credits import alerts
from apps.credits.models import Account, AccountCheck, LedgerEntry, NightlyCheck
from apps.credits.plans import start_plan
from apps.credits.plans.months import utc_date
from apps.credits.queries import Balance, balance_for
from apps.credits.services import charge, grant, hold
from apps.leads.models import Lead
from apps.webhooks.models import Delivery, Endpoint, Event
from apps.webhooks.services import send_test
from apps.workspaces.models import Erasure, Workspace
from apps.workspaces.services import request_erasure, set_retention
from config import celery_app
from tests.adjustments.adjustment_factories import make_pending_adjustment as adjustment
from tests.conversations.export_factory import make_pending_export, read_file
from tests.factories import (
    Team,
    grant_credits,
    make_api_key,
    make_chatbot,
    make_team,
    make_webhook_endpoint,
)
from tests.leads.lead_factory import make_lead
from tests.turns.turn_factory import complete_turn, expire_heartbeat, make_running_turn
from tests.webhook_receiver import Receiver

MANY = 12
"""Pieces of work: enough for two workers to meet over some of them."""

Seen = tuple[Callable[[], Any], Any]
"""How to look at what was done, and what is seen when it was done once."""


def told(workspace: Workspace, event: str) -> int:
    return Event.objects.filter(workspace=workspace, type=event).count()


def logged(workspace: Workspace, action: str) -> int:
    return AuditEntry.objects.filter(workspace=workspace, action=action).count()


def silent_turns(team: Team) -> Seen:
    grant_credits(team.workspace, 100)
    make_webhook_endpoint(team.workspace, "turn.failed")
    chatbot = make_chatbot(team.workspace)
    for _ in range(MANY):
        expire_heartbeat(make_running_turn(chatbot, credits=5))
    return lambda: (balance_for(team.workspace.id), told(team.workspace, "turn.failed")), (
        Balance(100, 0),
        MANY,
    )


def old_answers(team: Team) -> Seen:
    make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    for number in range(MANY):
        IdempotentAnswer.objects.create(
            workspace=team.workspace,
            api_key=key,
            idempotency_key=f"{new_id()}-{number}",
            request_digest="d",
            status=201,
            sealed_body="b",
        )
    answers = IdempotentAnswer.objects.filter(workspace=team.workspace)
    answers.update(created_at=timezone.now() - timedelta(days=2))
    return answers.count, 0


def months_that_are_due(_: Team) -> Seen:
    """In several workspaces: three months to grant, and credits that are over."""
    began = timezone.now() - timedelta(days=95)
    workspaces = []
    for _team in range(MANY):
        workspace = make_team().workspace
        start_plan(workspace_id=workspace.id, plan="free", grant_credits=True, now=began)
        over = timezone.now() - timedelta(days=1)
        grant(workspace_id=workspace.id, credits=7, reason="short", expires_at=over)
        workspaces.append(workspace.id)

    def seen() -> list[tuple[int, int]]:
        entries = LedgerEntry.objects.filter(workspace__in=workspaces)
        return [
            (
                entries.filter(workspace=workspace, kind="grant", amount=100).count(),
                entries.filter(workspace=workspace, kind="expiry", amount=-7).count(),
            )
            for workspace in workspaces
        ]

    return seen, [(4, 1)] * MANY


def balances_that_fell(_: Team) -> Seen:
    teams = [make_team() for _ in range(MANY)]
    for team in teams:
        grant_credits(team.workspace, 10)
        make_webhook_endpoint(team.workspace, "credits.low", "credits.exhausted")
        alerts.set_low_balance_threshold(workspace_id=team.workspace.id, threshold=5, actor=SYSTEM)
    Account.objects.filter(workspace__in=[team.workspace for team in teams]).update(
        exhausted_alert_armed=True
    )
    for team in teams:
        hold(workspace_id=team.workspace.id, credits=10)
        charge(workspace_id=team.workspace.id, held=10, credits=10, turn_id=new_id())

    def seen() -> list[tuple[int, int, int]]:
        return [
            (
                told(team.workspace, "credits.low"),
                told(team.workspace, "credits.exhausted"),
                mailed(team.alice.email),
            )
            for team in teams
        ]

    return seen, [(1, 1, 2)] * MANY


def mailed(address: str) -> int:
    return sum(message.to == [address] for message in mail.outbox)


def workspaces_that_end(_: Team) -> Seen:
    teams = [make_team() for _ in range(MANY)]
    due = Workspace.objects.filter(pk__in=[team.workspace.pk for team in teams])
    due.update(deletion_due_at=timezone.now() - timedelta(minutes=1))

    def seen() -> list[tuple[int, int]]:
        return [
            (
                logged(team.workspace, "workspace.closed"),
                logged(team.workspace, "workspace.erased"),
            )
            for team in teams
        ]

    return seen, [(1, 1)] * MANY


def sessions_that_are_over(_: Team) -> Seen:
    over = timezone.now() - timedelta(days=1)
    keys = [f"{new_id()}{number:015}" for number in range(MANY)]
    Session.objects.bulk_create(
        Session(session_key=key[:40], session_data="", expire_date=over) for key in keys
    )
    mine = Session.objects.filter(session_key__in=[key[:40] for key in keys])
    return mine.count, 0


def messages_with_contacts(team: Team) -> Seen:
    make_webhook_endpoint(team.workspace, "lead.created", "lead.updated")
    chatbot = make_chatbot(team.workspace, lead_capture="detect")
    for number in range(MANY):
        make_running_turn(chatbot, text=f"I am at dana{number}@example.com")
    leads = Lead.objects.filter(workspace=team.workspace)
    return lambda: (leads.count(), told(team.workspace, "lead.created")), (MANY, MANY)


def deliveries_that_are_due(team: Team) -> Seen:
    receiver = RECEIVERS[-1]
    endpoint, _ = make_webhook_endpoint(team.workspace, url=receiver.url)
    sent = {send_test(endpoint=endpoint).event_id for _ in range(MANY)}
    return lambda: sorted(receiver.event_ids), sorted(sent)


def endpoints_that_were_switched_off(_: Team) -> Seen:
    teams = [make_team() for _ in range(MANY)]
    for team in teams:
        make_webhook_endpoint(team.workspace)
    Endpoint.objects.filter(workspace__in=[team.workspace for team in teams]).update(
        disabled_at=timezone.now(), disabled_reason="gone"
    )
    return lambda: [mailed(team.alice.email) for team in teams], [1] * MANY


def deliveries_that_are_old(team: Team) -> Seen:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    for _ in range(MANY):
        send_test(endpoint=endpoint)
    age = timedelta(days=settings.WEBHOOK_KEPT_DAYS + 1)
    deliveries = Delivery.objects.filter(workspace=team.workspace)
    deliveries.update(created_at=F("created_at") - age)
    events = Event.objects.filter(workspace=team.workspace)
    events.update(created_at=F("created_at") - age)
    return lambda: (deliveries.count(), events.count()), (0, 0)


def exports_that_were_asked_for(team: Team) -> Seen:
    chatbot = make_chatbot(team.workspace)
    said = [f"Hello {number}" for number in range(MANY)]
    for text in said:
        complete_turn(make_running_turn(chatbot, text=text))
    exports = [make_pending_export(team.workspace) for _ in range(3)]

    def seen() -> list[list[int]]:
        files = [read_file(export) for export in exports]
        return [[file.count(f'"{text}"') for text in said] for file in files]

    return seen, [[1] * MANY] * 3


def exports_that_are_old(team: Team) -> Seen:
    for _ in range(3):
        make_pending_export(team.workspace)
    exports = Export.objects.filter(workspace=team.workspace)
    exports.update(created_at=timezone.now() - timedelta(days=settings.EXPORT_KEPT_DAYS + 1))
    return exports.count, 0


def books_of_today(team: Team) -> Seen:
    """Of a night that nobody works on, whether it was checked for another test or not."""
    grant_credits(team.workspace, 10)
    free = timezone.now() - timedelta(minutes=1)
    tonight = NightlyCheck.objects.filter(day=utc_date(timezone.now()))
    tonight.update(finished_at=None, claimed_until=free)
    return AccountCheck.objects.filter(workspace=team.workspace).count, 1


def messages_that_nobody_has_read(team: Team) -> Seen:
    while index_new_messages():  # what other tests said is more than one run reads
        pass
    chatbot = make_chatbot(team.workspace)
    for _ in range(MANY):
        complete_turn(make_running_turn(chatbot))
    passages = Passage.objects.filter(workspace=team.workspace)
    return passages.count, 2 * MANY


def conversations_that_somebody_hid(team: Team) -> Seen:
    """As where a process died between hiding them and erasing what was said."""
    chatbot = make_chatbot(team.workspace)
    for _ in range(MANY):
        complete_turn(make_running_turn(chatbot))
    hidden = Conversation.objects.filter(workspace=team.workspace)
    hidden.update(deleted_at=timezone.now())
    messages = Message.objects.filter(workspace=team.workspace)
    return lambda: (messages.count(), hidden.exclude(erased_at=None).count()), (0, MANY)


def conversations_that_are_old(team: Team) -> Seen:
    chatbot = make_chatbot(team.workspace)
    for _ in range(MANY):
        complete_turn(make_running_turn(chatbot))
        make_lead(chatbot, email=f"{new_id()}@example.com")
    old = timezone.now() - timedelta(days=10)
    Conversation.objects.filter(workspace=team.workspace).update(last_message_at=old)
    Lead.objects.filter(workspace=team.workspace).update(created_at=old, updated_at=old)
    set_retention(workspace=team.workspace, conversations_days=5, leads_days=5, actor=SYSTEM)

    def seen() -> tuple[int, int, int]:
        forgotten = AuditEntry.objects.filter(workspace=team.workspace, action="lead.forgotten")
        return (
            conversations_for(team.workspace.id).count(),
            logged(team.workspace, "conversation.deleted"),
            sum(entry.details["leads"] for entry in forgotten),
        )

    return seen, (0, MANY, MANY)


def end_users_to_forget(team: Team) -> Seen:
    chatbot = make_chatbot(team.workspace)
    for number in range(MANY):
        complete_turn(make_running_turn(chatbot, metadata={"userId": f"u-{number}"}))
        request_erasure(workspace=team.workspace, user_id=f"u-{number}", actor=SYSTEM)

    def seen() -> tuple[int, int, int]:
        done = Erasure.objects.filter(workspace=team.workspace).exclude(done_at=None)
        return (
            sum(done.values_list("conversations", flat=True)),
            logged(team.workspace, "end_user.erased"),
            logged(team.workspace, "conversation.deleted"),
        )

    return seen, (MANY, MANY, MANY)


def adjustments_that_nobody_decided(_: Team) -> Seen:
    teams = [make_team() for _ in range(MANY)]
    with override_settings(APPROVAL_DAYS=0):
        waiting = [adjustment(team.workspace, 1_000_000).pk for team in teams]
    lapsed = Adjustment.objects.filter(pk__in=waiting)

    def seen() -> tuple[int, int]:
        ended = AuditEntry.objects.filter(action="adjustment.expired", target_id__in=waiting)
        return lapsed.filter(status="expired").count(), ended.count()

    return seen, (MANY, MANY)


CASES: dict[str, Callable[[Team], Seen]] = {
    "sweep-turns": silent_turns,
    "delete-expired-responses": old_answers,
    "renew-credits": months_that_are_due,
    "index-messages": messages_that_nobody_has_read,
    "erase-deleted-conversations": conversations_that_somebody_hid,
    "reconcile-ledgers": books_of_today,
    "expire-adjustments": adjustments_that_nobody_decided,
    "send-balance-alerts": balances_that_fell,
    "delete-workspaces": workspaces_that_end,
    "delete-expired": conversations_that_are_old,
    "erase-end-users": end_users_to_forget,
    "clear-sessions": sessions_that_are_over,
    "scan-turns-for-leads": messages_with_contacts,
    "deliver-webhooks": deliveries_that_are_due,
    "email-webhook-owners": endpoints_that_were_switched_off,
    "prune-webhooks": deliveries_that_are_old,
    "write-exports": exports_that_were_asked_for,
    "prune-exports": exports_that_are_old,
}
RECEIVERS: list[Receiver] = []


@pytest.fixture
def receiver() -> Iterator[None]:
    with Receiver() as started:
        RECEIVERS.append(started)
        yield
        RECEIVERS.pop()


def test_every_periodic_task_has_a_case() -> None:
    assert settings.CELERY_BEAT_SCHEDULE.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_two_workers_at_once_do_it_once(live_team: Team, receiver: None, name: str) -> None:
    celery_app.loader.import_default_modules()
    task = celery_app.tasks[settings.CELERY_BEAT_SCHEDULE[name]["task"]]
    # What other tests have left is not this one's work.
    Delivery.objects.exclude(workspace=live_team.workspace).update(next_attempt_at=None)
    look, expected = CASES[name](live_team)
    assert look() != expected, "The case would pass without the task."
    start = Barrier(2)

    def worker(_: int) -> None:
        try:
            start.wait(timeout=30)
            task.run()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(worker, range(2)))
    assert look() == expected
    task.run()
    assert look() == expected
