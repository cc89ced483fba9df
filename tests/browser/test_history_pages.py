"""Audit log, request lookup, live counters and key revocation, at both screen sizes."""

from __future__ import annotations

import csv
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, make_api_key, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.web_processes import WebProcess

pytestmark = pytest.mark.browser


@BOTH_SIZES
def test_audit_log_is_filtered_and_exported(
    open_context: OpenContext, live_team: Team, tmp_path: Path, size: str
) -> None:
    make_chatbot(live_team.workspace)
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/settings")
    page.get_by_role("textbox", name="Name").fill("=Acme")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator(".toast").first).to_be_visible()
    page.goto(f"/w/{live_team.workspace.slug}/audit")
    page.get_by_label("Actor").fill(live_team.alice.email)
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("workspace.renamed")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    file = tmp_path / "audit.csv"
    download.value.save_as(file)
    with file.open(newline="", encoding="utf-8-sig") as lines:
        (line,) = csv.DictReader(lines)
    assert not any(cell.startswith("=") for cell in line.values())


@BOTH_SIZES
def test_request_lookup_by_id(
    open_context: OpenContext, web: WebProcess, live_team: Team, size: str
) -> None:
    chatbot, key = make_chatbot(live_team.workspace), make_api_key(live_team.workspace)
    answer = httpx.post(
        f"{web.url}/api/v1/chatbots/{chatbot.id}/chat",
        headers={"Authorization": f"Bearer {key}"},
        json={"message": "Hello"},
    )
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/requests")
    page.get_by_label("Request ID").fill(answer.headers["x-request-id"])
    page.get_by_role("button", name="Find").click()
    heading = page.get_by_role("heading", name=answer.headers["x-request-id"], level=1)
    expect(heading).to_be_visible()
    assert_accessible(page)


@BOTH_SIZES
def test_sidebar_counts_active_responses(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/")
    if size == "phone":
        page.get_by_role("button", name="Menu").click()
    live = page.locator(".sidebar .live")
    turn = make_running_turn(make_chatbot(live_team.workspace))
    expect(live).to_contain_text("1", timeout=12_000)
    complete_turn(turn)
    expect(live).not_to_contain_text("1", timeout=12_000)


@BOTH_SIZES
def test_revoked_key_is_rejected(
    open_context: OpenContext, web: WebProcess, live_team: Team, size: str
) -> None:
    chatbot, key = make_chatbot(live_team.workspace), make_api_key(live_team.workspace)
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/keys")
    page.get_by_role("button", name="Revoke test").click()
    dialog = page.get_by_role("dialog", name="Revoke this key?")
    assert_accessible(page, "dialog[open]")
    dialog.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_text("Revoked", exact=True)).to_be_visible()
    answer = httpx.post(
        f"{web.url}/api/v1/chatbots/{chatbot.id}/chat",
        headers={"Authorization": f"Bearer {key}"},
        json={"message": "Hello"},
    )
    assert answer.status_code == 401
