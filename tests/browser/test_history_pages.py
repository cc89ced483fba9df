"""What was done and decided, looked up later: the audit log, one request, what runs now, and a key
that works no more; at a desk and on a phone."""

from __future__ import annotations

import csv
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, Open
from tests.factories import Team, make_api_key, make_chatbot
from tests.turns.new_turns import completed, opened
from tests.web_processes import WebProcess

pytestmark = pytest.mark.browser


@BOTH_SIZES
def test_what_was_done_is_looked_through_and_exported(
    visit: Open, live_team: Team, tmp_path: Path, size: str
) -> None:
    make_chatbot(live_team.workspace)
    page = visit(live_team.alice, size=size).new_page()
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
    with file.open(newline="") as lines:
        (line,) = csv.DictReader(lines)
    assert not any(cell.startswith("=") for cell in line.values())


@BOTH_SIZES
def test_request_is_found_by_its_id(
    visit: Open, web: WebProcess, live_team: Team, size: str
) -> None:
    chatbot, key = make_chatbot(live_team.workspace), make_api_key(live_team.workspace)
    answer = httpx.post(
        f"{web.url}/api/v1/chatbots/{chatbot.id}/chat",
        headers={"Authorization": f"Bearer {key}"},
        json={"message": "Hello"},
    )
    page = visit(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/requests")
    page.get_by_label("Request ID").fill(answer.headers["x-request-id"])
    page.get_by_role("button", name="Find").click()
    heading = page.get_by_role("heading", name=answer.headers["x-request-id"], level=1)
    expect(heading).to_be_visible()
    assert_accessible(page)


@BOTH_SIZES
def test_turns_that_run_are_counted_live(visit: Open, live_team: Team, size: str) -> None:
    page = visit(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/")
    if size == "phone":
        page.get_by_role("button", name="Menu").click()
    live = page.locator(".sidebar .live")
    turn = opened(make_chatbot(live_team.workspace))
    expect(live).to_contain_text("1", timeout=12_000)
    completed(turn)
    expect(live).not_to_contain_text("1", timeout=12_000)


@BOTH_SIZES
def test_key_is_revoked_and_opens_nothing(
    visit: Open, web: WebProcess, live_team: Team, size: str
) -> None:
    chatbot, key = make_chatbot(live_team.workspace), make_api_key(live_team.workspace)
    page = visit(live_team.alice, size=size).new_page()
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
