"""A workspace asks for another plan or for credits; staff decide; what is accepted happens."""

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
from apps.credits.tasks import send_decision
from tests.factories import Team, make_user

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def finance(db: None) -> User:
    return make_user("finance", is_staff=True)


def for_credits(team: Team, credits: int = 500, note: str = "") -> CreditRequest:
    return request_credits(
        workspace_id=team.workspace.id,
        credits=credits,
        note=note,
        user=team.alice,
        actor=user_actor(team.alice),
    )


def for_plan(team: Team, plan: Plan) -> CreditRequest:
    return request_plan(
        workspace_id=team.workspace.id,
        plan=plan,
        note="We grow",
        user=team.alice,
        actor=user_actor(team.alice),
    )


def accepted(request: CreditRequest, by: User, answer: str = "") -> CreditRequest:
    return accept_request(
        workspace_id=request.workspace_id,
        request_id=request.id,
        answer=answer,
        user=by,
        actor=staff_actor(by),
        now=NOW,
    )


def log_of(request: CreditRequest) -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(target_id=request.id).order_by("created_at", "id")
    return [(entry.action, entry.actor_kind) for entry in entries]


def test_accepted_purchase_is_one_entry_that_names_it(team: Team, finance: User) -> None:
    request = for_credits(team, 500)
    done = accepted(request, finance, "Invoice 7 is on its way.")
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace)
    assert (entry.kind, entry.amount, entry.category) == ("purchase", 500, "purchase")
    assert (entry.reference, entry.created_by) == (request.id, finance)
    assert (done.state, done.decided_by, done.answer) == (
        "accepted",
        finance,
        "Invoice 7 is on its way.",
    )
    assert log_of(request) == [
        ("credit_request.asked", "person"),
        ("credit_request.accepted", "staff"),
    ]


def test_more_than_one_person_may_give_is_posted_by_two_before(team: Team, finance: User) -> None:
    request = for_credits(team, settings.APPROVAL_ABOVE + 1)
    with pytest.raises(ValueError, match="take two people"):
        accepted(request, finance)
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
    assert accepted(request, finance).state == "accepted"
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


def test_accepted_upgrade_changes_the_plan(team: Team, finance: User) -> None:
    start_plan(workspace_id=team.workspace.id, plan="free", grant_credits=True, now=NOW)
    growth = Plan.objects.create(slug=new_id(), name="Growth", monthly_credits=1000)
    accepted(for_plan(team, growth), finance)
    account = Account.objects.get(pk=team.workspace.id)
    assert (account.plan, account.balance) == (growth, 1000)


def test_request_is_decided_once(team: Team, finance: User) -> None:
    request = for_credits(team)
    accepted(request, finance)
    with pytest.raises(RequestNotOpen):
        accepted(request, finance)
    with pytest.raises(RequestNotOpen):
        withdraw_request(
            workspace_id=team.workspace.id, request_id=request.id, actor=user_actor(team.alice)
        )
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


def test_upgrade_that_cannot_be_done_stays_open(team: Team, finance: User) -> None:
    start_plan(workspace_id=team.workspace.id, plan="free", grant_credits=True, now=NOW)
    request = for_plan(team, Plan.objects.get(slug="free"))
    with pytest.raises(ValueError, match="on this plan already"):
        accepted(request, finance)
    request.refresh_from_db()
    assert request.state == "open"


def test_declining_wants_a_reason_and_gives_nothing(team: Team, finance: User) -> None:
    request = for_credits(team)
    given = {"workspace_id": team.workspace.id, "request_id": request.id}
    with pytest.raises(ValueError, match="Say why"):
        decline_request(**given, answer="  ", user=finance, actor=staff_actor(finance))
    done = decline_request(
        **given, answer="The last invoice is open.", user=finance, actor=staff_actor(finance)
    )
    assert (done.state, done.answer) == ("declined", "The last invoice is open.")
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 0


def test_one_request_of_a_kind_is_open_at_a_time(team: Team) -> None:
    first = for_credits(team)
    with pytest.raises(RequestAlreadyOpen):
        for_credits(team)
    for_plan(team, Plan.objects.get(slug="free"))
    withdraw_request(
        workspace_id=team.workspace.id, request_id=first.id, actor=user_actor(team.alice)
    )
    assert for_credits(team).state == "open"


def test_request_of_another_workspace_cannot_be_ended(team: Team, finance: User) -> None:
    request = for_credits(team)
    with pytest.raises(RequestNotOpen):
        withdraw_request(
            workspace_id=team.outside.id, request_id=request.id, actor=user_actor(team.charlie)
        )
    request.refresh_from_db()
    assert request.state == "open"


@pytest.mark.parametrize("credits", [0, -5, 10**12 + 1])
def test_number_of_credits_that_nobody_sells_is_refused(team: Team, credits: int) -> None:
    with pytest.raises(ValueError, match="Ask for 1 to"):
        for_credits(team, credits)


def test_plan_that_is_not_offered_is_not_asked_for(team: Team) -> None:
    hidden = Plan.objects.create(slug=new_id(), name="Hidden", is_active=False)
    with pytest.raises(ValueError, match="is not offered"):
        for_plan(team, hidden)


def test_owners_are_mailed_the_decision(team: Team, finance: User) -> None:
    request = for_credits(team, 1500)
    send_decision(request.id)
    assert mail.outbox == []
    accepted(request, finance, "Thank you\r\nBcc: x@example.com")
    send_decision(request.id)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (
        [team.alice.email],
        "Your request for credits was accepted",
    )
    assert "for 1,500 credits was accepted." in message.body


def test_decision_is_mailed_when_it_is_committed(live_team: Team) -> None:
    from tests.task_runner import run_jobs

    run_jobs()
    assert connection.in_atomic_block is False
    accepted(for_credits(live_team), make_user("finance", is_staff=True))
    assert run_jobs("apps.credits.tasks.send_decision") == ["apps.credits.tasks.send_decision"]
    assert [message.to for message in mail.outbox] == [[live_team.alice.email]]
