"""Exporting conversations and downloading the file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models.export import Export
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.conversations.export_factory import make_export, make_pending_export
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn

pytestmark = pytest.mark.browser
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")
EXPORTS_PATH = "conversations/exports"


@BOTH_SIZES
def test_filtered_list_is_exported_with_progress(
    open_context: OpenContext, live_team: Team, tmp_path: Path, size: str
) -> None:
    chatbot = make_chatbot(live_team.workspace, name="Support")
    complete_turn(make_running_turn(chatbot, text="=1+1"), "Two")
    complete_turn(make_running_turn(make_chatbot(live_team.workspace)))
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/conversations?chatbot_id={chatbot.id}")
    page.get_by_text("Export", exact=True).click()
    page.get_by_role("button", name="Export CSV").click()
    expect(page.get_by_role("heading", name="Exports", level=1)).to_be_visible()
    row = page.locator("tbody tr")
    expect(row).to_contain_text("Support")
    expect(row).to_contain_text("Queued")
    export = Export.objects.get(workspace=live_team.workspace)
    Export.objects.filter(pk=export.pk).update(conversations_total=4, conversations_done=1)
    expect(row.get_by_role("progressbar")).to_have_attribute("value", "25")
    write_pending_exports(max_seconds=60)
    expect(row).to_contain_text("Completed")
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    file = tmp_path / "export.csv"
    download.value.save_as(file)
    with file.open(newline="", encoding="utf-8-sig") as lines:
        assert [line["text"] for line in csv.DictReader(lines)] == ["'=1+1", "Two"]
    row.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete export", exact=True).click()
    expect(page.get_by_text("No exports yet")).to_be_visible()


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_exports_are_accessible(
    open_context: OpenContext, live_team: Team, size: str, scheme: str
) -> None:
    complete_turn(make_running_turn(make_chatbot(live_team.workspace)))
    make_export(live_team.workspace, "csv")
    failed = make_export(live_team.workspace)
    Export.objects.filter(pk=failed.pk).update(
        status="failed", error="The file would be larger than 2048 MiB. Ask for fewer days."
    )
    half = make_pending_export(live_team.workspace)
    Export.objects.filter(pk=half.pk).update(
        status="running", conversations_total=90_000, conversations_done=40_000, rows=160_000
    )
    make_pending_export(live_team.workspace, "csv")
    page = open_context(live_team.bob, size=size, scheme=scheme).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/{EXPORTS_PATH}")
    expect(page.get_by_role("progressbar")).to_be_visible()
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / f"exports-{size}-{scheme}.png", full_page=True)
    assert_accessible(page)
    page.goto(f"/w/{live_team.workspace.slug}/conversations?status=failed")
    assert_accessible(page)
    page.get_by_text("Export", exact=True).click()
    expect(page.get_by_role("button", name="Export JSON Lines")).to_be_visible()
    if SCREENSHOT_DIR:
        page.screenshot(
            path=Path(SCREENSHOT_DIR) / f"export-menu-{size}-{scheme}.png", full_page=True
        )
    assert_accessible(page, "details.dropdown[open]")
