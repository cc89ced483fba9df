"""Admin pages that change plans and decide credit requests."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM, user_actor
from apps.core.ids import new_id
from apps.credits.credit_requests import request_credits, request_plan
from apps.credits.models import Account, CreditRequest, LedgerEntry, Plan
from apps.credits.plans import save_plan, start_plan
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.dashboard.page_client import login, shown_messages, visible_text
from tests.factories import Team, make_user

WHY = "They asked for it by telephone."


@pytest.fixture
def finance(db: None) -> User:
    user = make_user("finance", is_staff=True)
    user.groups.add(Group.objects.get(name="finance"))
    return user


@pytest.fixture
def desk(finance: User) -> Client:
    return login(finance)


@pytest.fixture
def growth(db: None) -> Plan:
    return Plan.objects.create(slug=new_id(), name="Growth", monthly_credits=1000)


def change_plan_url(team: Team) -> str:
    start_plan(workspace_id=team.workspace.id, plan="free", grant_credits=True, now=timezone.now())
    return reverse("admin:credits_account_change_plan", args=[team.workspace.id])


def make_request(team: Team, plan: Plan | None = None, note: str = "") -> tuple[CreditRequest, str]:
    common: dict[str, Any] = {
        "workspace_id": team.workspace.id,
        "note": note,
        "user": team.alice,
        "actor": user_actor(team.alice),
    }
    request = request_plan(**common, plan=plan) if plan else request_credits(**common, credits=500)
    return request, reverse("admin:credits_creditrequest_decide", args=[request.id])


def test_change_plan_page_previews_without_changing(team: Team, desk: Client, growth: Plan) -> None:
    page = visible_text(desk.get(change_plan_url(team)).content.decode())
    assert "Free 100 Current plan" in page
    assert "Growth 1,000 Immediately, with 900 credits for" in page
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


def test_plan_change_is_audited_with_its_reason(
    team: Team, desk: Client, finance: User, growth: Plan
) -> None:
    address = change_plan_url(team)
    done = desk.post(address, {"plan": growth.id, "reason": WHY}, follow=True)
    assert shown_messages(done) == [f"Plan of {team.workspace.slug} changed."]
    account = Account.objects.get(pk=team.workspace.id)
    assert (account.plan, account.balance) == (growth, 1000)
    entry = AuditEntry.objects.get(workspace=team.workspace, action="plan.changed")
    assert (entry.actor_label, entry.details["reason"]) == (finance.email, WHY)
    (bought,) = LedgerEntry.objects.filter(workspace=team.workspace, created_by=finance)
    assert bought.amount == 900


@pytest.mark.parametrize("reason", ["", "too short"])
def test_plan_change_requires_a_reason(team: Team, desk: Client, growth: Plan, reason: str) -> None:
    page = desk.post(change_plan_url(team), {"plan": growth.id, "reason": reason})
    assert page.context["form"].errors.keys() == {"reason"}
    assert Account.objects.get(pk=team.workspace.id).balance == 100


def test_staff_cannot_decide_for_their_own_workspace(
    team: Team, desk: Client, finance: User, growth: Plan
) -> None:
    add_member(workspace=team.workspace, user=finance, role=Role.VIEWER)
    sentence = "You belong to this workspace. Somebody else has to decide."
    changed = desk.post(change_plan_url(team), {"plan": growth.id, "reason": WHY})
    assert changed.context["form"].non_field_errors() == [sentence]
    for verdict in ("accept", "decline"):
        request, address = make_request(team, growth if verdict == "accept" else None)
        decided = desk.post(address, {"verdict": verdict, "answer": "No"})
        assert decided.context["form"].non_field_errors() == [sentence]
        request.refresh_from_db()
        assert request.state == "open"
    assert Account.objects.get(pk=team.workspace.id).balance == 100


def test_accept_purchase_request(team: Team, desk: Client, finance: User) -> None:
    _, address = make_request(team, note="<b>For May</b>")
    page = desk.get(address).content.decode()
    assert ("500 credits" in visible_text(page), "<b>For May</b>" in page) == (True, False)
    done = desk.post(address, {"verdict": "accept", "answer": ""}, follow=True)
    assert shown_messages(done) == ["Request accepted."]
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace)
    assert (entry.kind, entry.amount, entry.created_by) == ("purchase", 500, finance)
    assert entry.from_ip == "127.0.0.1"
    again = desk.post(address, {"verdict": "accept", "answer": ""})
    assert again.context["form"].non_field_errors() == ["This request is not open any more."]
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 1


def test_decline_requires_an_answer(team: Team, desk: Client) -> None:
    request, address = make_request(team)
    silent = desk.post(address, {"verdict": "decline", "answer": ""})
    assert silent.context["form"].non_field_errors() == ["Say why: the workspace reads the answer."]
    desk.post(address, {"verdict": "decline", "answer": "Not before the invoice is paid."})
    request.refresh_from_db()
    assert (request.state, request.answer) == ("declined", "Not before the invoice is paid.")
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == 0


@pytest.fixture
def operator(db: None) -> Client:
    user = make_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    return login(user)


def plan_form(plan: Plan, **fields: Any) -> dict[str, Any]:
    return {"name": plan.name, "monthly_credits": plan.monthly_credits, "is_active": "on", **fields}


def test_plan_is_not_raised_without_limit(operator: Client, growth: Plan) -> None:
    address = reverse("admin:credits_plan_change", args=[growth.pk])
    limit = settings.APPROVAL_ABOVE
    page = operator.post(address, plan_form(growth, monthly_credits=limit + 1))
    assert list(page.context["adminform"].form.errors) == ["monthly_credits"]
    assert operator.post(address, plan_form(growth, monthly_credits=limit)).status_code == 302
    form = plan_form(growth, monthly_credits=5, slug="free")
    assert operator.post(address, form).status_code == 302
    slug = growth.slug
    growth.refresh_from_db()
    assert (growth.monthly_credits, growth.slug) == (5, slug)
    entries = AuditEntry.objects.filter(action="plan.edited", target_id=growth.pk)
    assert [each.details for each in entries.order_by("created_at")] == [
        {"monthly_credits": [1000, limit]},
        {"monthly_credits": [limit, 5]},
    ]


def test_new_plan_may_be_large_and_is_recorded(operator: Client) -> None:
    slug = new_id()
    form = {"name": "Huge", "slug": slug, "monthly_credits": 10**6, "is_active": "on"}
    assert operator.post(reverse("admin:credits_plan_add"), form).status_code == 302
    plan = Plan.objects.get(slug=slug)
    (entry,) = AuditEntry.objects.filter(action="plan.created", target_id=plan.pk)
    assert (entry.actor_kind, entry.workspace_id) == ("staff", None)


def test_limits_of_a_plan_are_audited(growth: Plan) -> None:
    growth.max_sources = 50
    save_plan(plan=growth, actor=SYSTEM)
    entry = AuditEntry.objects.get(target_id=growth.id)
    assert (entry.action, entry.details) == ("plan.edited", {"max_sources": [None, 50]})
