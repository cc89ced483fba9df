"""Leads in Chromium."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apps.leads.models import Lead
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_lead, make_scanned_conversation

pytestmark = pytest.mark.browser


@BOTH_SIZES
def test_lead_status_change_in_list(open_context: OpenContext, live_team: Team, size: str) -> None:
    lead = make_lead(make_chatbot(live_team.workspace), name="Ana")
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/leads")
    pipeline = page.get_by_role("navigation", name="Pipeline")
    expect(pipeline.get_by_role("link", name="New 1")).to_be_visible()
    page.get_by_label("Status of Ana").select_option("follow_up")
    expect(page.get_by_text("Ana is now follow up.")).to_be_visible()
    expect(pipeline.get_by_role("link", name="Follow up 1")).to_be_visible()
    lead.refresh_from_db()
    assert lead.status == "follow_up"
    Lead.objects.filter(id=lead.id).delete()
    page.get_by_label("Status of Ana").select_option("lost")
    expect(page.get_by_text("Change not saved.")).to_be_visible()


@BOTH_SIZES
def test_lead_is_filtered_exported_and_edited(
    open_context: OpenContext, live_team: Team, tmp_path: Path, size: str
) -> None:
    chatbot = make_chatbot(live_team.workspace, lead_capture="detect")
    make_lead(chatbot, name="Ben Stone", email="ben@example.com")
    thread = make_scanned_conversation(chatbot, "I am Ana Lima, ana@example.com.")
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/leads")
    page.get_by_label("Name or email").fill("ana")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    file = tmp_path / "leads.csv"
    download.value.save_as(file)
    with file.open(newline="", encoding="utf-8-sig") as lines:
        assert [line["email"] for line in csv.DictReader(lines)] == ["ana@example.com"]
    page.locator("tbody a").first.click()
    page.get_by_label("Phone").fill("+49 30 1234567")
    page.get_by_label("Status").select_option("qualified")
    expect(page.get_by_text("Unsaved changes: Phone, Status")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast").first).to_be_visible()
    lead = Lead.objects.get(workspace=live_team.workspace, email="ana@example.com")
    assert (lead.phone, lead.status) == ("+49301234567", "qualified")
    page.get_by_role("link", name="View conversation", exact=True).click()
    page.wait_for_url(f"**/conversations/{thread.id}")
