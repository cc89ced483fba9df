"""The low balance alert, and requests for plans and credits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from apps.audit.services import staff_actor, user_actor
from apps.core.ids import new_id
from apps.credits.credit_requests import decline_request, request_credits
from apps.credits.models import Account, CreditRequest, Plan
from apps.credits.plans import change_plan, start_plan
from apps.credits.services import charge, grant, hold
from tests.dashboard.page_client import (
    clients_by_role,
    login,
    page_path,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team, grant_credits, make_user


def credits_page(team: Team) -> str:
    return login(team.alice).get(page_path(team.workspace, "credits")).content.decode()


def listed_requests(team: Team) -> list[list[str]]:
    return table_cells(credits_page(team).partition('aria-label="Plan and credit requests"')[2])


def make_growth_plan() -> Plan:
    return Plan.objects.create(
        slug=new_id(), name="Growth", monthly_credits=5000, credits_last_months=2
    )


def test_alert_threshold_is_set_and_removed(team: Team) -> None:
    grant_credits(team.workspace, 10)
    alice = login(team.alice)
    address = page_path(team.workspace, "credits/alert")
    done = alice.post(address, {"threshold": "2500"}, follow=True)
    assert shown_messages(done) == [
        "You will be alerted when the balance drops below 2,500 credits."
    ]
    assert Account.objects.get(pk=team.workspace.id).low_balance_threshold == 2500
    assert 'name="threshold" value="2500"' in credits_page(team)
    done = alice.post(address, {"threshold": ""}, follow=True)
    assert shown_messages(done) == ["You will be alerted when credits run out."]
    assert Account.objects.get(pk=team.workspace.id).low_balance_threshold is None


@pytest.mark.parametrize("threshold", ["0", "-1", "lots", "9" * 30])
def test_invalid_threshold_gets_a_form_error(team: Team, threshold: str) -> None:
    address = page_path(team.workspace, "credits/alert")
    response = login(team.alice).post(address, {"threshold": threshold})
    assert response.status_code == 422
    assert response.context["alert_form"].errors.keys() == {"threshold"}


def test_credit_request_is_listed_until_declined(team: Team) -> None:
    alice = login(team.alice)
    address = page_path(team.workspace, "credits/buy")
    sent = alice.post(address, {"buy-credits": "12000", "buy-note": "For May"}, follow=True)
    assert shown_messages(sent) == ["Request sent. We reply by email."]
    request = CreditRequest.objects.get(workspace=team.workspace)
    assert (request.credits, request.note, request.asked_by) == (12000, "For May", team.alice)
    assert listed_requests(team) == [
        ["12,000 credits", team.alice.email, "just now", "Open", "", "Withdraw"]
    ]
    again = alice.post(address, {"buy-credits": "1"}, follow=True)
    assert shown_messages(again) == [
        "There is an open request already. Withdraw it, or wait for the answer."
    ]
    finance = make_user("finance", is_staff=True)
    decline_request(
        workspace_id=team.workspace.id,
        request_id=request.id,
        answer="<b>Not</b> yet.",
        user=finance,
        actor=staff_actor(finance),
    )
    assert listed_requests(team) == [
        ["12,000 credits", team.alice.email, "just now", "Declined", "<b>Not</b> yet.", ""]
    ]
    assert "<b>Not</b>" not in credits_page(team)


def test_only_offered_plans_can_be_requested(team: Team) -> None:
    plan = make_growth_plan()
    Plan.objects.create(slug=new_id(), name="Hidden", is_active=False)
    start_plan(workspace_id=team.workspace.id, plan="free", grant_credits=True, now=timezone.now())
    page = credits_page(team)
    assert "Growth · 5,000 credits per month, valid for 2 months" in page
    assert ("Hidden" in page, "Free: 100 credits" in page) == (False, False)
    address = page_path(team.workspace, "credits/plan")
    login(team.alice).post(address, {"plan-plan": plan.id, "plan-note": ""})
    assert [row[0] for row in listed_requests(team)] == ["Growth plan"]
    wrong = login(team.alice).post(address, {"plan-plan": "nothing"})
    assert (wrong.status_code, wrong.context["plan_form"].errors.keys()) == (422, {"plan"})


def test_open_request_is_withdrawn(team: Team) -> None:
    credit_request = request_credits(
        workspace_id=team.workspace.id,
        credits=1,
        note="",
        user=team.alice,
        actor=user_actor(team.alice),
    )
    alice = login(team.alice)
    address = page_path(team.workspace, f"credits/requests/{credit_request.id}/withdraw")
    assert shown_messages(alice.post(address, follow=True)) == ["Request withdrawn."]
    assert shown_messages(alice.post(address, follow=True)) == [
        "This request is not open any more."
    ]
    assert [row[3] for row in listed_requests(team)] == ["Withdrawn"]


def test_request_of_another_workspace_is_not_withdrawn(team: Team) -> None:
    theirs = request_credits(
        workspace_id=team.other_workspace.id,
        credits=1,
        note="",
        user=team.charlie,
        actor=user_actor(team.charlie),
    )
    login(team.alice).post(page_path(team.workspace, f"credits/requests/{theirs.id}/withdraw"))
    theirs.refresh_from_db()
    assert theirs.state == "open"


def test_page_shows_next_grant_and_expiring_credits(team: Team) -> None:
    workspace = team.workspace.id
    began = datetime(2099, 1, 31, 9, tzinfo=UTC)
    start_plan(workspace_id=workspace, plan="free", grant_credits=True, now=began)
    assert "100 credits per month Renews on 28 February" in visible_text(credits_page(team))
    change_plan(
        workspace_id=workspace, plan=make_growth_plan(), actor=staff_actor(team.bob), now=began
    )
    soon = datetime(2099, 2, 3, tzinfo=UTC)
    grant(workspace_id=workspace, credits=70, reason="x", expires_at=soon)
    hold(workspace_id=workspace, credits=20)
    charge(workspace_id=workspace, held=20, credits=20, turn_id=new_id())
    page = visible_text(credits_page(team))
    assert "Expiring next 50 usable to 2 Feb 2099 (UTC)" in page
    assert "then 4,900, usable to 30 Mar 2099 (UTC)" in page
    change_plan(
        workspace_id=workspace,
        plan=Plan.objects.get(slug="free"),
        actor=staff_actor(team.bob),
        now=began + timedelta(days=1),
    )
    assert "5,000 credits per month Free starts on 28 February" in visible_text(credits_page(team))


def test_forms_require_permission(team: Team) -> None:
    grant_credits(team.workspace, 1)
    shown = {
        name: browser.get(page_path(team.workspace, "credits")).content.decode().count("<textarea")
        for name, browser in clients_by_role(team).items()
    }
    assert shown == {
        "owner": 2,
        "admin": 2,
        "member": 0,
        "viewer": 0,
        "outsider": 0,
        "anonymous": 0,
    }


@pytest.mark.parametrize("page", ["credits/alert", "credits/plan", "credits/buy"])
def test_changes_require_permission(team: Team, page: str) -> None:
    form = {"threshold": "5", "buy-credits": "5", "plan-plan": make_growth_plan().id}
    found = {
        name: browser.post(page_path(team.workspace, page), form).status_code
        for name, browser in clients_by_role(team).items()
    }
    assert found == {
        "owner": 302,
        "admin": 302,
        "member": 403,
        "viewer": 403,
        "outsider": 404,
        "anonymous": 302,
    }
