"""Conversation pages: live streaming, search, edit, rate and delete."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from apps.conversations.models import Conversation, Rating
from apps.conversations.search import index_new_messages
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.chat_sockets import make_paying_caller
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn
from tests.web_processes import WebProcess

pytestmark = pytest.mark.browser


@BOTH_SIZES
def test_turn_of_another_process_streams_live(
    open_context: OpenContext, web_pair: tuple[WebProcess, WebProcess], live_team: Team, size: str
) -> None:
    caller = make_paying_caller(web_pair[1], live_team, "sandbox/slow")
    conversation_id = caller.post("Hi").json()["data"]["conversationId"]
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/conversations/{conversation_id}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    message = "one two three <b>four</b>" + " and on" * 10
    with caller.stream(message, conversationId=conversation_id) as response:
        turn = page.locator(".turn").nth(1)
        expect(turn.locator(".line-user .text")).to_have_text(message)
        expect(turn.locator("[data-answer]")).to_have_text(re.compile("^Echo: one"))
        expect(turn.get_by_text("Running")).to_be_visible()
        response.read()
    expect(turn.get_by_text("Completed")).to_be_visible()
    expect(turn.locator("[data-answer]")).to_have_count(0)
    expect(turn.locator(".line:not(.line-user) .text")).to_have_text(f"Echo: {message}")
    expect(page.locator(".turn")).to_have_count(2)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_conversation_is_searched_edited_rated_and_deleted(
    open_context: OpenContext, live_team: Team, size: str, scheme: str
) -> None:
    chatbot = make_chatbot(live_team.workspace, name="Support")
    turn = make_running_turn(chatbot, text="Where is my refund?", metadata={"source": "website"})
    complete_turn(turn, "It left our house on Monday.")
    complete_turn(make_running_turn(chatbot, text="Another question"), "Another answer")
    index_new_messages()
    page = open_context(live_team.alice, size=size, scheme=scheme).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/conversations")
    page.get_by_role("textbox", name="Search").fill("refund")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="Where is my refund?").click()

    page.get_by_label("Title").fill("Refund of May")
    page.get_by_label("Note").fill("Called back.")
    expect(page.get_by_text("Unsaved changes: Title, Note")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1, name="Refund of May")).to_be_visible()

    page.get_by_text("Rate response").click()
    page.get_by_label("Comment (optional)").fill("Says when.")
    page.get_by_role("button", name="Thumbs up").click()
    expect(page.locator(".rating").get_by_text("Thumbs up", exact=True).first).to_be_visible()
    expect(page.locator(".rating .comment")).to_have_text("Says when.")
    page.get_by_text("Change rating").click()
    page.get_by_role("button", name="Thumbs down").click()
    expect(page.locator(".rating").get_by_text("Thumbs down", exact=True).first).to_be_visible()
    assert_accessible(page)
    assert Rating.objects.get(message_id=turn.message_id).value == "down"

    page.get_by_role("button", name="Delete conversation").click()
    dialog = page.get_by_role("dialog", name="Delete “Refund of May”?")
    expect(dialog).to_be_visible()
    assert_accessible(page)
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete conversation").click()
    dialog.get_by_role("button", name="Delete conversation").click()
    expect(page.get_by_text("Conversation deleted.")).to_be_visible()
    expect(rows).to_have_count(1)
    expect(page.get_by_role("link", name="Another question")).to_be_visible()
    assert Conversation.objects.get(id=turn.conversation_id).erased_at is not None
