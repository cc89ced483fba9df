"""Chatbot pages in Chromium: create, edit with the save bar, restore, duplicate and delete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.chatbots.models import Chatbot
from apps.chatbots.queries import chatbots_for
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, make_chatbot, make_language_model

pytestmark = pytest.mark.browser
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")


@pytest.fixture
def chatbot(live_team: Team) -> Chatbot:
    model = make_language_model(credits_per_reply=2)
    return make_chatbot(live_team.workspace, model, name="Support")


def check_page(page: Page, name: str) -> None:
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / f"{name}.png", full_page=True)
    assert_accessible(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_chatbot_pages_are_accessible(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot, size: str, scheme: Any
) -> None:
    page = open_context(live_team.alice, size=size, scheme=scheme).new_page()
    pages = {
        "chatbot-new": f"/w/{live_team.workspace.slug}/chatbots/new",
        "chatbot": f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}",
        "not-found": f"/w/{live_team.workspace.slug}/chatbots/c-nothing",
        "styleguide": "/styleguide",
        "home": "/",
    }
    for name, path in pages.items():
        page.goto(path)
        check_page(page, f"{name}-{size}-{scheme}")


@BOTH_SIZES
def test_save_bar_lists_changed_fields(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot, size: str
) -> None:
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}")
    expect(page.get_by_text("Unsaved")).to_be_hidden()
    page.get_by_label("Requests", exact=True).fill("5")
    page.get_by_label("Window (seconds)").fill("86400")
    page.get_by_label("Stream responses by default").check()
    expect(page.get_by_text("About 5 per day.")).to_be_visible()
    bar = page.get_by_text(
        "Unsaved changes: Requests, Window (seconds), Stream responses by default"
    )
    expect(bar).to_be_visible()
    check_page(page, "chatbot-unsaved")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").get_by_text("Saved: requests")).to_be_visible()
    chatbot.refresh_from_db()
    assert (chatbot.rate_limit_requests, chatbot.stream_by_default) == (5, True)


@BOTH_SIZES
def test_invalid_field_shows_error(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot, size: str
) -> None:
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}")
    page.get_by_label("Temperature").fill("9")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Temperature")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("less than or equal to 2")).to_be_visible()
    check_page(page, "chatbot-mistake")


@BOTH_SIZES
def test_chatbot_is_created_and_deleted(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    model = make_language_model(credits_per_reply=1)
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/chatbots")
    page.get_by_role("link", name="New chatbot").click()
    page.get_by_label("Name").fill("Sales")
    page.get_by_label("Model").select_option(value=model.id)
    page.get_by_role("button", name="Create chatbot").click()
    expect(page.get_by_role("heading", name="Sales", level=1)).to_be_visible()
    page.get_by_role("link", name="Settings", exact=True).last.click()
    page.get_by_role("button", name="Delete chatbot").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete chatbot")).to_be_disabled()
    dialog.get_by_label("Type").fill("Sales")
    check_page(page, "chatbot-delete")
    dialog.get_by_role("button", name="Delete chatbot").click()
    expect(page.get_by_text("Sales deleted.")).to_be_visible()
    assert list(chatbots_for(live_team.workspace.id)) == []


@BOTH_SIZES
def test_chatbot_is_restored_and_duplicated(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot, size: str
) -> None:
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}")
    page.get_by_label("Requests", exact=True).fill("7")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").get_by_text("Saved: requests")).to_be_visible()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("link", name="Version 1").click()
    page.get_by_role("button", name="Compare").click()
    changed = page.locator("dl.facts")
    expect(changed.locator("ins")).to_have_text("7")
    page.get_by_role("button", name="Restore", exact=True).click()
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.locator(".toast").first).to_be_visible()
    before = chatbot.rate_limit_requests
    chatbot.refresh_from_db()
    assert (chatbot.rate_limit_requests, chatbot.version) == (before, 3)
    page.goto(f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}")
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Support")
    assert chatbots_for(live_team.workspace.id).count() == 2
