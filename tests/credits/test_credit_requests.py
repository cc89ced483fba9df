"""Credit requests of workspaces and their decision by staff."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import staff_actor, user_actor
from apps.core.ids import new_id
from apps.credits.credit_requests import (
    accept_request,
    decline_request,
    request_credits,
    request_plan,
    withdraw_request,
)
from apps.credits.errors import RequestAlreadyOpen, RequestNotOpen
from apps.credits.models import Account, CreditRequest, LedgerEntry, Plan
from apps.credits.plans import start_plan
from apps.credits.services import adjust
from apps.workspaces.letters import send_letters
from apps.workspaces.services import SEND_LETTERS_TASK
from tests.factories import Team, make_user

pytestmark = pytest.mark.usefixtures("no_other_letters")

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def finance(db: None) -> User:
    return make_user("finance", is_staff=True)


def make_credits_request(team: Team, credits: int = 500, note: str = "") -> CreditRequest:
    return request_credits(
        workspace_id=team.workspace.id,
        credits=credits,
        note=note,
        user=team.alice,
        actor=user_actor(team.alice),
    )


def make_plan_request(team: Team, plan: Plan) -> CreditRequest:
    return request_plan(
        workspace_id=team.workspace.id,
        plan=plan,
        note="We grow",
        user=team.alice,
        actor=user_actor(team.alice),
    )


def accept(request: CreditRequest, user: User, answer: str = "") -> CreditRequest:
    return accept_request(
        workspace_id=request.workspace_id,
        request_id=request.id,
        answer=answer,
        user=user,
        actor=staff_actor(user),
        now=NOW,
    )


def audit_log_for(request: CreditRequest) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(target_id=request.id).order_by("created_at", "id")
    return [(entry.action, entry.actor_kind) for entry in entries]


def test_accepted_purchase_grants_credits_once(team: Team, finance: User) -> None:
    request = make_credits_request(team, 500)
    accepted = accept(request, finance, "Invoice 7 is on its way.")
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace)
    assert (entry.kind, entry.amount, entry.category) == ("purchase", 500, "purchase")
    assert (entry.reference, entry.created_by) == (request.id, finance)
    assert (accepted.state, accepted.decided_by, accepted.answer) == (
        "accepted",
        finance,
        "Invoice 7 is on its way.",
    )
    assert audit_log_for(request) == [
        ("credit_request.asked", "person"),
        ("credit_request.accepted", "staff"),
    ]


def test_large_purchase_can_be_posted_as_an_adjustment(team: Team, finance: User) -> None:
    request = make_credits_request(team, settings.APPROVAL_ABOVE + 1)
    assert accept(request, finance).state == "open"
    with pytest.raises(ValueError, match="take two people"):
        accept(request, finance)
    request.refresh_from_db()
    assert (request.state, LedgerEntry.objects.filter(workspace=team.workspace).count()) == (
        "open",
        0,
    )
    adjust(
        workspace_id=team.workspace.id,
        credits=settings.APPROVAL_ABOVE + 1,
        reason="Invoice 7",
        reference=request.id,
    )
    assert accept(request, finance).state == "accepted"
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


def test_accepted_upgrade_changes_the_plan(team: Team, finance: User) -> None:
    start_plan(workspace_id=team.workspace.id, plan="free", grant_credits=True, now=NOW)
    growth = Plan.objects.create(slug=new_id(), name="Growth", monthly_credits=1000)
    accept(make_plan_request(team, growth), finance)
    account = Account.objects.get(pk=team.workspace.id)
    assert (account.plan, account.balance) == (growth, 1000)


def test_request_is_decided_once(team: Team, finance: User) -> None:
    request = make_credits_request(team)
    accept(request, finance)
    with pytest.raises(RequestNotOpen):
        accept(request, finance)
    with pytest.raises(RequestNotOpen):
        withdraw_request(
            workspace_id=team.workspace.id, request_id=request.id, actor=user_actor(team.alice)
        )
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


def test_impossible_upgrade_stays_open(team: Team, finance: User) -> None:
    start_plan(workspace_id=team.workspace.id, plan="free", grant_credits=True, now=NOW)
    request = make_plan_request(team, Plan.objects.get(slug="free"))
    with pytest.raises(ValueError, match="on this plan already"):
        accept(request, finance)
    request.refresh_from_db()
    assert request.state == "open"


def test_decline_requires_an_answer_and_grants_nothing(team: Team, finance: User) -> None:
    request = make_credits_request(team)
    ids = {"workspace_id": team.workspace.id, "request_id": request.id}
    with pytest.raises(ValueError, match="Say why"):
        decline_request(**ids, answer="  ", user=finance, actor=staff_actor(finance))
    declined = decline_request(
        **ids, answer="The last invoice is open.", user=finance, actor=staff_actor(finance)
    )
    assert (declined.state, declined.answer) == ("declined", "The last invoice is open.")
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 0


def test_only_one_request_of_each_kind_can_be_open(team: Team) -> None:
    first = make_credits_request(team)
    with pytest.raises(RequestAlreadyOpen):
        make_credits_request(team)
    make_plan_request(team, Plan.objects.get(slug="free"))
    withdraw_request(
        workspace_id=team.workspace.id, request_id=first.id, actor=user_actor(team.alice)
    )
    assert make_credits_request(team).state == "open"


def test_request_of_another_workspace_cannot_be_withdrawn(team: Team, finance: User) -> None:
    request = make_credits_request(team)
    with pytest.raises(RequestNotOpen):
        withdraw_request(
            workspace_id=team.other_workspace.id,
            request_id=request.id,
            actor=user_actor(team.charlie),
        )
    request.refresh_from_db()
    assert request.state == "open"


@pytest.mark.parametrize("credits", [0, -5, 10**12 + 1])
def test_invalid_number_of_credits_is_rejected(team: Team, credits: int) -> None:
    with pytest.raises(ValueError, match="Ask for 1 to"):
        make_credits_request(team, credits)


def test_inactive_plan_cannot_be_requested(team: Team) -> None:
    hidden = Plan.objects.create(slug=new_id(), name="Hidden", is_active=False)
    with pytest.raises(ValueError, match="is not offered"):
        make_plan_request(team, hidden)


def test_owners_are_emailed_the_decision(team: Team, finance: User) -> None:
    request = make_credits_request(team, 1500)
    assert (send_letters(seconds=5), mail.outbox) == (0, [])
    accept(request, finance, "Thank you\r\nBcc: x@example.com")
    assert send_letters(seconds=5) == 1
    (message,) = mail.outbox
    assert (message.to, message.subject) == (
        [team.alice.email],
        "Your request for credits was accepted",
    )
    assert f"for 1,500 credits in “{team.workspace.name}” was accepted." in message.body


def test_decision_is_emailed_after_commit(live_team: Team) -> None:
    from tests.task_runner import run_queued_tasks

    run_queued_tasks()
    assert connection.in_atomic_block is False
    accept(make_credits_request(live_team), make_user("finance", is_staff=True))
    assert SEND_LETTERS_TASK in run_queued_tasks(SEND_LETTERS_TASK)
    assert [message.to for message in mail.outbox] == [[live_team.alice.email]]
