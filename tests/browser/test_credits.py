"""An owner asks for more, finance decides in the admin, the owner sees what became of it."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.core.ids import new_id
from apps.credits.models import CreditRequest, Plan
from apps.credits.plans import start_plan
from apps.credits.services import grant
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import Open
from tests.factories import Team, make_user

pytestmark = pytest.mark.browser
ATTACK = "<img src=x onerror=alert(1)><script>alert(1)</script>"
SHOTS = os.environ.get("SCREENSHOTS")
MORE = [("desktop", "dark"), ("phone", "light")] if SHOTS else []


@pytest.fixture
def life(live_team: Team) -> Team:
    """A workspace on the free plan, with credits that expire."""
    now = timezone.now()
    workspace = live_team.workspace
    start_plan(workspace_id=workspace.id, plan="free", grant_credits=True, now=now)
    soon = now + timedelta(days=9)
    grant(workspace_id=workspace.id, credits=1200, reason="Welcome", expires_at=soon)
    later = now + timedelta(days=40)
    grant(workspace_id=workspace.id, credits=300, reason="Sorry", expires_at=later)
    slug = new_id()
    Plan.objects.create(
        slug=slug, name=f"Growth {slug[-4:]}", monthly_credits=5000, credits_last_months=3
    )
    return live_team


def finance() -> User:
    user = make_user("finance", is_staff=True)
    user.groups.add(Group.objects.get(name="finance"))
    return user


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark"), *MORE])
def test_request_goes_from_the_owner_to_finance_and_back(
    visit: Open, life: Team, size: str, scheme: str
) -> None:
    page = visit(life.alice, size=size, scheme=scheme).new_page()
    where = f"/w/{life.workspace.slug}/credits"
    page.goto(where)
    page.get_by_label("Alert me when balance drops below").fill("500")
    page.get_by_role("button", name="Save alert").click()
    expect(
        page.get_by_text("You will be alerted when the balance drops below 500 credits.")
    ).to_be_visible()
    page.get_by_label("Credits", exact=True).fill("8000")
    page.get_by_label("Note").last.fill(ATTACK)
    page.get_by_role("button", name="Request credits").click()
    requests = page.get_by_role("region", name="Requests")
    expect(requests.get_by_text("8,000 credits")).to_be_visible()
    page.get_by_label("Plan").select_option(index=1)
    page.get_by_role("button", name="Request plan change").click()
    expect(requests.get_by_text("Open")).to_have_count(2)
    shot(page, f"credits-{size}-{scheme}")
    assert_accessible(page)

    desk = visit(finance(), size=size, scheme=scheme).new_page()
    asked = CreditRequest.objects.get(workspace=life.workspace, kind="purchase")
    desk.goto(f"/admin/credits/creditrequest/{asked.id}/decide/")
    expect(desk.get_by_text(ATTACK)).to_be_visible()
    shot(desk, f"admin-decide-{size}-{scheme}")
    desk.get_by_label("Answer").fill("The invoice is on its way.")
    desk.get_by_role("button", name="Accept").click()
    expect(desk.get_by_text("Request accepted.")).to_be_visible()

    desk.goto(f"/admin/credits/account/{life.workspace.id}/change_plan/")
    shot(desk, f"admin-plan-{size}-{scheme}")
    page.goto(where)
    expect(requests.get_by_text("The invoice is on its way.")).to_be_visible()
    expect(requests.get_by_text("Accepted")).to_have_count(1)
    requests.get_by_role("button", name="Withdraw").click()
    expect(requests.get_by_text("Withdrawn")).to_be_visible()
    shot(page, f"credits-after-{size}-{scheme}")
