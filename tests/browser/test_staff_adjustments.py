"""Credit adjustments in the admin: post, reverse, approval and CSV import."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.adjustments.models import Adjustment
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.adjustments.adjustment_factories import make_posted_adjustment, make_staff
from tests.browser.conftest import OpenContext
from tests.factories import Team, grant_credits

pytestmark = pytest.mark.browser


def fill_in_adjustment(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=category]").select_option("goodwill")
    page.get_by_role("button", name="Review").click()


def amounts(team: Team) -> list[int]:
    entries = LedgerEntry.objects.filter(workspace=team.workspace).order_by("created_at", "id")
    return list(entries.values_list("amount", flat=True))


def test_adjustment_is_posted_and_reversed(open_context: OpenContext, live_team: Team) -> None:
    grant_credits(live_team.workspace, 100)
    page = open_context(make_staff("finance")).new_page()
    page.goto(f"/admin/credits/account/{live_team.workspace.id}/change/")
    page.get_by_role("link", name="Adjust credits").click()
    expect(page.locator("[name=workspace]")).to_have_value(live_team.workspace.slug)
    fill_in_adjustment(page, credits="250", reason="A slow day", reference="T-1042")
    expect(page.locator("[data-before]")).to_have_text("100")
    expect(page.locator("[data-after]")).to_have_text("350")
    assert amounts(live_team) == [100]
    page.get_by_role("button", name="Post").dblclick()
    expect(page.get_by_text("Posted.", exact=True)).to_be_visible()
    assert amounts(live_team) == [100, 250]
    (entry,) = LedgerEntry.objects.filter(workspace=live_team.workspace, reference="T-1042")
    page.goto(f"/admin/credits/ledgerentry/{entry.id}/change/")
    page.get_by_role("link", name="Reverse this entry").click()
    page.locator("[name=reason]").fill("It was not theirs")
    page.get_by_role("button", name="Review").click()
    expect(page.locator("[data-after]")).to_have_text("100")
    page.get_by_role("button", name="Post").click()
    expect(page.get_by_text("Posted.", exact=True)).to_be_visible()
    assert amounts(live_team) == [100, 250, -250]


def test_changed_balance_is_previewed_again(open_context: OpenContext, live_team: Team) -> None:
    page = open_context(make_staff("finance")).new_page()
    page.goto(f"/admin/adjustments/adjustment/adjust/?workspace={live_team.workspace.slug}")
    fill_in_adjustment(page, credits="5", reason="A slow day")
    grant_credits(live_team.workspace, 7)
    page.get_by_role("button", name="Post").click()
    expect(page.get_by_text("The balance changed since this preview.")).to_be_visible()
    expect(page.locator("[data-after]")).to_have_text("12")
    page.get_by_role("button", name="Post").click()
    expect(page.get_by_text("Posted.", exact=True)).to_be_visible()
    assert amounts(live_team) == [7, 5]


def test_large_adjustment_needs_second_approval(open_context: OpenContext, live_team: Team) -> None:
    page = open_context(make_staff("finance")).new_page()
    page.goto(f"/admin/adjustments/adjustment/adjust/?workspace={live_team.workspace.slug}")
    fill_in_adjustment(page, credits="20000", reason="A lost week")
    page.get_by_role("button", name="Request approval").click()
    expect(page.get_by_text("A second person must approve this")).to_be_visible()
    (request,) = Adjustment.objects.filter(lines__workspace=live_team.workspace)
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_text("You requested this. Someone else must review it.")).to_be_visible()
    expect(page.get_by_role("button", name="Approve and post")).to_have_count(0)
    assert amounts(live_team) == []
    other = open_context(make_staff("finance")).new_page()
    other.goto(f"/admin/adjustments/adjustment/{request.id}/decide/")
    expect(other.get_by_text("20,000").first).to_be_visible()
    other.get_by_role("button", name="Approve and post").click()
    expect(other.get_by_text("Posted.", exact=True)).to_be_visible()
    assert amounts(live_team) == [20_000]


def test_members_cannot_adjust_their_workspace(open_context: OpenContext, live_team: Team) -> None:
    member = make_staff("finance")
    add_member(workspace=live_team.workspace, user=member, role=Role.VIEWER)
    page = open_context(member).new_page()
    page.goto(f"/admin/adjustments/adjustment/adjust/?workspace={live_team.workspace.slug}")
    fill_in_adjustment(page, credits="5", reason="Mine")
    expect(page.get_by_text(f"You belong to {live_team.workspace.slug}.")).to_be_visible()
    assert amounts(live_team) == []


def test_csv_with_bad_row_is_fixed_and_posted(
    open_context: OpenContext, live_team: Team, tmp_path: Path
) -> None:
    file = tmp_path / "may.csv"
    first, second = live_team.workspace.slug, live_team.other_workspace.slug
    rows = f"workspace,amount,kind,reason,reference,expiry\n{first},250,goodwill,May,,\n"
    file.write_text(f"{rows}{second},lots,goodwill,May,,\n")
    page = open_context(make_staff("finance")).new_page()
    page.goto("/admin/adjustments/adjustment/")
    page.get_by_role("link", name="Adjust by CSV").click()

    def upload() -> None:
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_role("button", name="Check rows").click()

    upload()
    expect(page.get_by_text("One row has errors.")).to_be_visible()
    expect(page.get_by_text("The amount must be a whole number")).to_be_visible()
    expect(page.get_by_role("button", name="Post all rows")).to_have_count(0)
    file.write_text(f"{rows}{second},40,goodwill,May,,\n")
    page.get_by_role("link", name="Choose another file").click()
    upload()
    expect(page.get_by_text("0 → 250")).to_be_visible()
    page.get_by_role("button", name="Post all rows").click()
    expect(page.get_by_text("Posted.", exact=True)).to_be_visible()
    places = (live_team.workspace, live_team.other_workspace)
    assert [balance_for(each.id).balance for each in places] == [250, 40]
    page.goto("/admin/adjustments/adjustment/upload/")
    upload()
    expect(page.get_by_text("Nothing was posted again.")).to_be_visible()


def test_statement_shows_adjustments(open_context: OpenContext, live_team: Team) -> None:
    grant_credits(live_team.workspace, 100)
    make_posted_adjustment(live_team.workspace, 40, reason="Spring", reference="T-9")
    page = open_context(make_staff("finance")).new_page()
    page.goto(reverse("admin:credits_statement_month", args=[live_team.workspace.id]))
    row = page.get_by_role("row").filter(has_text="Spring")
    expect(row.filter(has_text="T-9").filter(has_text="140")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    assert "Spring" in Path(download.value.path()).read_text()
