"""Docs pages in Chromium."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apps.dashboard.docs.pages import GROUPS
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, make_chatbot

pytestmark = pytest.mark.browser
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")
EXTRA_LOOKS = [("desktop", "dark"), ("phone", "light")] if SCREENSHOT_DIR else []


LOOKS = [("desktop", "light"), ("phone", "dark"), *EXTRA_LOOKS]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_docs_are_accessible(
    open_context: OpenContext, live_team: Team, size: str, scheme: str, group: str
) -> None:
    make_chatbot(live_team.workspace, name="Support")
    make_chatbot(live_team.workspace, name="Sales")
    page = open_context(live_team.alice, size=size, scheme=scheme).new_page()
    for each in GROUPS[group]:
        page.goto(f"/w/{live_team.workspace.slug}/developers/{each.slug}")
        expect(page.get_by_role("heading", name=each.title, level=1)).to_be_visible()
        if SCREENSHOT_DIR:
            name = f"docs-{each.slug}-{size}-{scheme}.png"
            page.screenshot(path=Path(SCREENSHOT_DIR) / name, full_page=True)
        assert_accessible(page)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_public_docs_are_accessible(open_context: OpenContext, size: str, scheme: str) -> None:
    """Same articles, different layout."""
    page = open_context(None, size=size, scheme=scheme).new_page()
    page.goto("/docs/errors")
    if SCREENSHOT_DIR:
        page.screenshot(
            path=Path(SCREENSHOT_DIR) / f"docs-public-{size}-{scheme}.png", full_page=True
        )
    assert_accessible(page)


@BOTH_SIZES
def test_language_choice_is_remembered(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    page = open_context(None, size=size).new_page()
    page.goto("/docs/chat")
    page.get_by_role("tab", name="Python").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("requests.post(")
    page.goto("/docs/streaming")
    for panel in page.get_by_role("tabpanel").all():
        expect(panel).to_contain_text("import requests")
    page.get_by_role("tab", name="Python").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="JavaScript").first).to_be_focused()
    expect(page.get_by_role("tabpanel").first).to_contain_text("await fetch(")


@BOTH_SIZES
def test_copied_example_matches_the_shown_one(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    chatbot = make_chatbot(live_team.workspace)
    context = open_context(live_team.alice, size=size)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"/w/{live_team.workspace.slug}/developers/chat")
    page.get_by_role("tab", name="Go").click()
    copy = page.get_by_role("button", name="Copy").first
    copy.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("package main")
    assert f"/chatbots/{chatbot.id}/chat" in copied


@BOTH_SIZES
def test_try_it_works_signed_out(open_context: OpenContext, live_team: Team, size: str) -> None:
    page = open_context(None, size=size).new_page()
    page.goto("/docs")
    page.get_by_label("Message").fill("<b>Hello</b>")
    page.get_by_role("button", name="Send").click()
    answer = page.get_by_label("Response", exact=True)
    expect(answer).to_contain_text("HTTP 200")
    expect(answer).to_contain_text("event: message.end")
    page.get_by_label("Stream").uncheck()
    page.get_by_role("button", name="Send").click()
    expect(answer).to_contain_text('"response": "Echo: <b>Hello</b>"')


@BOTH_SIZES
def test_palette_opens_docs_page(open_context: OpenContext, live_team: Team, size: str) -> None:
    page = open_context(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("idempotency")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Idempotency", level=1)).to_be_visible()
