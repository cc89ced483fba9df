"""A conversation in the dashboard while it is held."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.factories import Team
from tests.live import WebProcess
from tests.sockets import paying_caller

pytestmark = pytest.mark.browser


def test_turn_of_another_process_is_written_as_it_comes(
    visit: Open, web_pair: tuple[WebProcess, WebProcess], live_team: Team
) -> None:
    caller = paying_caller(web_pair[1], live_team, "sandbox/slow")
    conversation_id = caller.post("Hi").json()["data"]["conversationId"]
    page = visit(live_team.bob).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/conversations/{conversation_id}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    said = "one two three <b>four</b>" + " and on" * 10
    with caller.stream(said, conversationId=conversation_id) as response:
        turn = page.locator(".turn").nth(1)
        expect(turn.locator(".line-user .text")).to_have_text(said)
        expect(turn.locator("[data-answer]")).to_have_text(re.compile("^Echo: one"))
        expect(turn.get_by_text("Running")).to_be_visible()
        response.read()
    expect(turn.get_by_text("Completed")).to_be_visible()
    expect(turn.locator("[data-answer]")).to_have_count(0)
    expect(turn.locator(".line:not(.line-user) .text")).to_have_text(f"Echo: {said}")
    expect(page.locator(".turn")).to_have_count(2)
