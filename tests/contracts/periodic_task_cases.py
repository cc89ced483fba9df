"""Work for each periodic task, in committed rows, and the result of doing it once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from apps.adjustments.models import Adjustment
from apps.api_keys.models import ApiKey, IdempotentAnswer
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.ids import new_id
from apps.credits import alerts
from apps.credits.models import Account, AccountCheck, LedgerEntry, NightlyCheck
from apps.credits.plans import start_plan
from apps.credits.plans.months import utc_date
from apps.credits.services import charge, grant, hold
from apps.webhooks.models import Delivery, Endpoint, Event
from apps.webhooks.services import send_test
from apps.workspaces.letters import KEPT_DAYS
from apps.workspaces.models import Letter, LetterKind, Workspace
from apps.workspaces.services import queue_letters
from tests.adjustments.adjustment_factories import make_pending_adjustment as adjustment
from tests.contracts import conversation_task_cases as conversations
from tests.contracts import knowledge_task_cases as knowledge
from tests.contracts.task_case import (
    ITEM_COUNT,
    Case,
    count_audit_entries,
    count_emails,
    count_events,
    count_letters,
)
from tests.factories import (
    Team,
    grant_credits,
    make_api_key,
    make_team,
    make_webhook_endpoint,
)
from tests.webhook_receiver import Receiver


def expired_responses(team: Team) -> Case:
    make_api_key(team.workspace)
    key = ApiKey.objects.get(workspace=team.workspace)
    for number in range(ITEM_COUNT):
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


def due_grants_and_expiries(_: Team) -> Case:
    """Several workspaces with three months to grant, and credits that have expired."""
    started_at = timezone.now() - timedelta(days=95)
    workspaces = []
    for _team in range(ITEM_COUNT):
        workspace = make_team().workspace
        start_plan(workspace_id=workspace.id, plan="free", grant_credits=True, now=started_at)
        expired_at = timezone.now() - timedelta(days=1)
        grant(workspace_id=workspace.id, credits=7, reason="short", expires_at=expired_at)
        workspaces.append(workspace.id)

    def result() -> list[tuple[int, int]]:
        entries = LedgerEntry.objects.filter(workspace__in=workspaces)
        return [
            (
                entries.filter(workspace=workspace, kind="grant", amount=100).count(),
                entries.filter(workspace=workspace, kind="expiry", amount=-7).count(),
            )
            for workspace in workspaces
        ]

    return result, [(4, 1)] * ITEM_COUNT


def low_balances(_: Team) -> Case:
    teams = [make_team() for _ in range(ITEM_COUNT)]
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

    def result() -> list[tuple[int, int, int]]:
        return [
            (
                count_events(team.workspace, "credits.low"),
                count_events(team.workspace, "credits.exhausted"),
                count_letters(team.alice.email),
            )
            for team in teams
        ]

    return result, [(1, 1, 2)] * ITEM_COUNT


def workspaces_due_for_deletion(_: Team) -> Case:
    teams = [make_team() for _ in range(ITEM_COUNT)]
    due = Workspace.objects.filter(pk__in=[team.workspace.pk for team in teams])
    due.update(deletion_due_at=timezone.now() - timedelta(minutes=1))

    def result() -> list[tuple[int, int]]:
        return [
            (
                count_audit_entries(team.workspace, "workspace.closed"),
                count_audit_entries(team.workspace, "workspace.erased"),
            )
            for team in teams
        ]

    return result, [(1, 1)] * ITEM_COUNT


def expired_sessions(_: Team) -> Case:
    expired_at = timezone.now() - timedelta(days=1)
    keys = [f"{new_id()}{number:015}" for number in range(ITEM_COUNT)]
    Session.objects.bulk_create(
        Session(session_key=key[:40], session_data="", expire_date=expired_at) for key in keys
    )
    mine = Session.objects.filter(session_key__in=[key[:40] for key in keys])
    return mine.count, 0


def due_deliveries(team: Team) -> Case:
    receiver = RECEIVERS[-1]
    endpoint, _ = make_webhook_endpoint(team.workspace, url=receiver.url)
    sent = {send_test(endpoint=endpoint).event_id for _ in range(ITEM_COUNT)}
    return lambda: sorted(receiver.event_ids), sorted(sent)


def disabled_endpoints(_: Team) -> Case:
    teams = [make_team() for _ in range(ITEM_COUNT)]
    for team in teams:
        make_webhook_endpoint(team.workspace)
    Endpoint.objects.filter(workspace__in=[team.workspace for team in teams]).update(
        disabled_at=timezone.now(), disabled_reason="gone"
    )
    return lambda: [count_letters(team.alice.email) for team in teams], [1] * ITEM_COUNT


def due_letters(_: Team) -> Case:
    teams = [make_team() for _ in range(ITEM_COUNT)]
    now = timezone.now()
    for team in teams:
        workspace = team.workspace
        Workspace.objects.filter(pk=workspace.pk).update(deletion_due_at=now + timedelta(days=7))
        queue_letters(
            workspace_id=workspace.id,
            kind=LetterKind.DELETION,
            subject_id=workspace.id,
            recipients=[team.alice.email],
        )
    return lambda: [count_emails(team.alice.email) for team in teams], [1] * ITEM_COUNT


def old_letters(team: Team) -> Case:
    workspace_id = team.workspace.id
    queue_letters(
        workspace_id=workspace_id,
        kind=LetterKind.DELETION,
        subject_id=workspace_id,
        recipients=[f"{number}@example.com" for number in range(ITEM_COUNT)],
    )
    letters = Letter.objects.filter(workspace_id=workspace_id)
    letters.update(
        created_at=timezone.now() - timedelta(days=KEPT_DAYS + 1),
        next_attempt_at=timezone.now() + timedelta(days=1),
    )
    return letters.count, 0


def old_deliveries(team: Team) -> Case:
    endpoint, _ = make_webhook_endpoint(team.workspace)
    for _ in range(ITEM_COUNT):
        send_test(endpoint=endpoint)
    age = timedelta(days=settings.WEBHOOK_KEPT_DAYS + 1)
    deliveries = Delivery.objects.filter(workspace=team.workspace)
    deliveries.update(created_at=F("created_at") - age)
    events = Event.objects.filter(workspace=team.workspace)
    events.update(created_at=F("created_at") - age)
    return lambda: (deliveries.count(), events.count()), (0, 0)


def unchecked_accounts(team: Team) -> Case:
    """A nightly check that is not claimed, whether another test has finished it or not."""
    grant_credits(team.workspace, 10)
    unclaimed = timezone.now() - timedelta(minutes=1)
    night = NightlyCheck.objects.filter(day=utc_date(timezone.now()))
    night.update(finished_at=None, claimed_until=unclaimed)
    return AccountCheck.objects.filter(workspace=team.workspace).count, 1


def undecided_adjustments(_: Team) -> Case:
    teams = [make_team() for _ in range(ITEM_COUNT)]
    with override_settings(APPROVAL_DAYS=0):
        pending = [adjustment(team.workspace, 1_000_000).pk for team in teams]
    adjustments = Adjustment.objects.filter(pk__in=pending)

    def result() -> tuple[int, int]:
        expiries = AuditEntry.objects.filter(action="adjustment.expired", target_id__in=pending)
        return adjustments.filter(status="expired").count(), expiries.count()

    return result, (ITEM_COUNT, ITEM_COUNT)


TASK_CASES: dict[str, Callable[[Team], Case]] = {
    "sweep-turns": conversations.abandoned_turns,
    "delete-expired-responses": expired_responses,
    "renew-credits": due_grants_and_expiries,
    "index-messages": conversations.unindexed_messages,
    "erase-deleted-conversations": conversations.hidden_conversations,
    "reconcile-ledgers": unchecked_accounts,
    "expire-adjustments": undecided_adjustments,
    "send-balance-alerts": low_balances,
    "delete-workspaces": workspaces_due_for_deletion,
    "delete-expired": conversations.old_conversations,
    "erase-end-users": conversations.end_users_to_erase,
    "clear-sessions": expired_sessions,
    "scan-turns-for-leads": conversations.messages_with_contacts,
    "deliver-webhooks": due_deliveries,
    "send-letters": due_letters,
    "prune-letters": old_letters,
    "email-webhook-owners": disabled_endpoints,
    "prune-webhooks": old_deliveries,
    "write-exports": conversations.requested_exports,
    "prune-exports": conversations.old_exports,
    "index-sources": knowledge.sources_to_index,
    "change-embedding-models": knowledge.embedding_models_to_change,
    "create-vector-indexes": knowledge.vector_index_to_build,
    "erase-discarded-knowledge": knowledge.generations_to_erase,
}
RECEIVERS: list[Receiver] = []
"""The receiver of the running test, last."""
