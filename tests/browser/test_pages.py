"""Every page of a workspace in a real browser: accessible, in both lights, on both screens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import Open
from tests.conversations.opening import completed, opened
from tests.factories import Team, give, make_chatbot

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("SCREENSHOTS")


@pytest.fixture
def life(live_team: Team) -> Team:
    """A workspace in which something has happened."""
    give(live_team.workspace, 100)
    chatbot = make_chatbot(live_team.workspace, name="Support <b>bot</b>")
    for number in range(3):
        completed(opened(chatbot, credits=1, text=f"Question {number}"), "An answer")
    return live_team


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_pages_are_accessible(visit: Open, life: Team, size: str, scheme: str) -> None:
    page = visit(life.alice, size=size, scheme=scheme).new_page()
    for name in ("", "chatbots"):
        response = page.goto(f"/w/{life.workspace.slug}/{name}")
        assert response is not None
        assert response.status == 200
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name or 'overview'}-{size}-{scheme}.png")
        assert_accessible(page)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_reference_is_accessible(visit: Open, live_team: Team, size: str, scheme: str) -> None:
    page = visit(live_team.alice, size=size, scheme=scheme).new_page()
    page.goto("/docs/api")
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"reference-{size}-{scheme}.png")
    expect(page.get_by_role("heading", name="API reference", level=1)).to_be_visible()
    assert_accessible(page)


def test_rail_opens_as_a_sheet_on_a_phone(visit: Open, life: Team) -> None:
    page = visit(life.alice, size="phone").new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    link = page.get_by_role("link", name="Chatbots", exact=True)
    expect(link).not_to_be_in_viewport()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", name="Chatbots", level=1)).to_be_visible()


def test_palette_goes_to_a_chatbot_by_keyboard_alone(visit: Open, life: Team) -> None:
    page = visit(life.alice).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("support bot")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Support <b>bot</b>")).to_be_visible()


def test_chosen_light_is_remembered_without_a_flash(visit: Open, life: Team) -> None:
    page = visit(life.alice).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    page.get_by_role("button", name="Light or dark").click()
    page.goto(f"/w/{life.workspace.slug}/chatbots")
    assert 'data-theme="dark"' in page.request.get(page.url).text()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
