"""The docs pages in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apps.dashboard.docs.pages import GROUPS
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, Open
from tests.factories import Team, make_chatbot

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("SCREENSHOTS")
MORE = [("desktop", "dark"), ("phone", "light")] if SHOTS else []


LOOKS = [("desktop", "light"), ("phone", "dark"), *MORE]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_docs_are_accessible(
    visit: Open, live_team: Team, size: str, scheme: str, group: str
) -> None:
    make_chatbot(live_team.workspace, name="Support")
    make_chatbot(live_team.workspace, name="Sales")
    page = visit(live_team.alice, size=size, scheme=scheme).new_page()
    for each in GROUPS[group]:
        page.goto(f"/w/{live_team.workspace.slug}/developers/{each.slug}")
        expect(page.get_by_role("heading", name=each.title, level=1)).to_be_visible()
        if SHOTS:
            name = f"docs-{each.slug}-{size}-{scheme}.png"
            page.screenshot(path=Path(SHOTS) / name, full_page=True)
        assert_accessible(page)


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_docs_are_accessible_to_strangers(visit: Open, size: str, scheme: str) -> None:
    """The text is the same; the bar and the sheet around it are not."""
    page = visit(None, size=size, scheme=scheme).new_page()
    page.goto("/docs/errors")
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"docs-public-{size}-{scheme}.png", full_page=True)
    assert_accessible(page)


@BOTH_SIZES
def test_language_stays_chosen_on_every_page(visit: Open, live_team: Team, size: str) -> None:
    page = visit(None, size=size).new_page()
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
def test_example_is_copied_as_it_is_shown(visit: Open, live_team: Team, size: str) -> None:
    chatbot = make_chatbot(live_team.workspace)
    context = visit(live_team.alice, size=size)
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
def test_stranger_tries_the_echo(visit: Open, live_team: Team, size: str) -> None:
    page = visit(None, size=size).new_page()
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
def test_palette_leads_to_a_docs_page(visit: Open, live_team: Team, size: str) -> None:
    page = visit(live_team.alice, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("idempotency")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Idempotency", level=1)).to_be_visible()
