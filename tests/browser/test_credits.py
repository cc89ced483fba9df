"""An owner requests credits and a plan; finance decides in the admin."""

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
from tests.browser.conftest import OpenContext
from tests.factories import Team, make_user

pytestmark = pytest.mark.browser
ATTACK = "<img src=x onerror=alert(1)><script>alert(1)</script>"
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")
EXTRA_LOOKS = [("desktop", "dark"), ("phone", "light")] if SCREENSHOT_DIR else []


@pytest.fixture
def free_plan_team(live_team: Team) -> Team:
    """A workspace on the free plan, with expiring credits."""
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


def make_finance_user() -> User:
    user = make_user("finance", is_staff=True)
    user.groups.add(Group.objects.get(name="finance"))
    return user


def take_screenshot(page: Page, name: str) -> None:
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("size", "scheme"), [("desktop", "light"), ("phone", "dark"), *EXTRA_LOOKS]
)
def test_credit_request_is_decided_by_finance(
    open_context: OpenContext, free_plan_team: Team, size: str, scheme: str
) -> None:
    page = open_context(free_plan_team.alice, size=size, scheme=scheme).new_page()
    billing_url = f"/w/{free_plan_team.workspace.slug}/credits"
    page.goto(billing_url)
    page.get_by_label("Alert me when balance drops below").fill("500")
    page.get_by_role("button", name="Save alert").click()
    expect(
        page.get_by_text("You will be alerted when the balance drops below 500 credits.")
    ).to_be_visible()
    page.get_by_label("Credits", exact=True).fill("8000")
    page.get_by_label("Note").last.fill(ATTACK)
    page.get_by_role("button", name="Request credits").click()
    requests = page.get_by_role("region", name="Plan and credit requests")
    expect(requests.get_by_text("8,000 credits")).to_be_visible()
    page.get_by_label("Plan", exact=True).select_option(index=1)
    page.get_by_role("button", name="Request plan change").click()
    expect(requests.get_by_text("Open")).to_have_count(2)
    take_screenshot(page, f"credits-{size}-{scheme}")
    assert_accessible(page)

    admin_page = open_context(make_finance_user(), size=size, scheme=scheme).new_page()
    credit_request = CreditRequest.objects.get(workspace=free_plan_team.workspace, kind="purchase")
    admin_page.goto(f"/admin/credits/creditrequest/{credit_request.id}/decide/")
    expect(admin_page.get_by_text(ATTACK)).to_be_visible()
    take_screenshot(admin_page, f"admin-decide-{size}-{scheme}")
    admin_page.get_by_label("Answer").fill("The invoice is on its way.")
    admin_page.get_by_role("button", name="Accept").click()
    expect(admin_page.get_by_text("Request accepted.")).to_be_visible()

    admin_page.goto(f"/admin/credits/account/{free_plan_team.workspace.id}/change_plan/")
    take_screenshot(admin_page, f"admin-plan-{size}-{scheme}")
    page.goto(billing_url)
    expect(requests.get_by_text("The invoice is on its way.")).to_be_visible()
    expect(requests.get_by_text("Accepted")).to_have_count(1)
    requests.get_by_role("button", name="Withdraw").click()
    expect(requests.get_by_text("Withdrawn")).to_be_visible()
    take_screenshot(page, f"credits-after-{size}-{scheme}")
