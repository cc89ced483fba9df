"""The playground in Chromium, including that user and model texts are escaped."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from tests.browser.accessibility import assert_accessible
from tests.browser.attacks import ATTACKS
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.web_processes import WebProcess

pytestmark = pytest.mark.browser
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")


@pytest.fixture
def chatbot(live_team: Team) -> Chatbot:
    grant_credits(live_team.workspace, 100)
    model = make_language_model(credits_per_reply=2)
    return make_chatbot(live_team.workspace, model, name="Support")


def open_playground(page: Page, chatbot: Chatbot) -> Page:
    page.goto(f"/w/{chatbot.workspace.slug}/chatbots/{chatbot.id}/playground")
    return page


def send_message(page: Page, message: str) -> None:
    """Send it, once the previous answer's stream has ended: until then there is no such button."""
    expect(page.locator("[data-send]")).to_be_visible()
    page.get_by_label("Message").fill(message)
    page.get_by_label("Message").press("Enter")


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_response_shows_usage_and_curl(
    open_context: OpenContext,
    web: WebProcess,
    live_team: Team,
    chatbot: Chatbot,
    size: str,
    scheme: Any,
) -> None:
    page = open_playground(
        open_context(live_team.bob, size=size, scheme=scheme).new_page(), chatbot
    )
    send_message(page, "It's **bold** and\n\n- a list")
    answer = page.locator("[data-pane=saved] .line-answer")
    expect(answer).to_have_attribute("data-state", "done")
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.locator(".about")).to_contain_text("2 credits")
    send_message(page, "And more")
    expect(page.locator("[data-pane=saved] .line-answer[data-state=done]")).to_have_count(2)
    assert Turn.objects.filter(chatbot=chatbot).values("conversation").distinct().count() == 1
    answer.first.get_by_text("Show as curl").click()
    if SCREENSHOT_DIR:
        page.screenshot(
            path=Path(SCREENSHOT_DIR) / f"playground-{size}-{scheme}.png", full_page=True
        )
    assert_accessible(page)
    command = answer.first.locator("[data-curl] code").inner_text()
    result = subprocess.run(
        ["/bin/sh", "-c", command],
        env={**os.environ, "PARLEY_API_KEY": make_api_key(live_team.workspace)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "event: message.end" in result.stdout
    assert shlex.split(command)[0] == "curl"


@BOTH_SIZES
def test_slow_response_is_stopped(open_context: OpenContext, live_team: Team, size: str) -> None:
    slow_chatbot = make_chatbot(live_team.workspace, "sandbox/slow")
    page = open_playground(open_context(live_team.bob, size=size).new_page(), slow_chatbot)
    send_message(page, " ".join(["word"] * 100))
    expect(page.locator(".line-answer .text")).to_contain_text("Echo:")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".line-answer .about")).to_contain_text("stopped")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    assert Turn.objects.get(chatbot=slow_chatbot).status == "stopped"


@BOTH_SIZES
def test_draft_is_compared_and_saved(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot, size: str
) -> None:
    expensive_model = make_language_model(credits_per_reply=5)
    page = open_playground(open_context(live_team.bob, size=size).new_page(), chatbot)
    expect(page.get_by_role("heading", name="Draft")).to_be_hidden()
    page.get_by_text("Compare with a draft").click()
    page.get_by_label("Model").select_option(value=expensive_model.id)
    expect(page.get_by_role("heading", name="Draft")).to_be_visible()
    send_message(page, "Hello")
    expect(page.locator("[data-pane=saved] .about")).to_contain_text("2 credits")
    expect(page.locator("[data-pane=changed] .about")).to_contain_text("5 credits")
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / "open_playground-compare.png", full_page=True)
    assert_accessible(page)
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved: model.")).to_be_visible()
    chatbot.refresh_from_db()
    assert chatbot.language_model_id == expensive_model.id


@BOTH_SIZES
def test_error_shows_code_and_request_id(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot, size: str
) -> None:
    Chatbot.objects.filter(id=chatbot.id).update(rate_limit_requests=1)
    page = open_playground(open_context(live_team.bob, size=size).new_page(), chatbot)
    send_message(page, "one")
    expect(page.locator(".line-answer[data-state=done]")).to_have_count(1)
    send_message(page, "two")
    expect(page.locator(".line-answer[data-state=failed] .about")).to_contain_text(
        "RATE_LIMIT_EXCEEDED · request req_"
    )


def test_missing_credits_are_shown_in_words(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot
) -> None:
    dear = make_language_model(credits_per_reply=1200)
    Chatbot.objects.filter(id=chatbot.id).update(language_model=dear)
    page = open_playground(open_context(live_team.bob).new_page(), chatbot)
    send_message(page, "Hello")
    expect(page.locator(".line-answer[data-state=failed] .about")).to_contain_text(
        "Please upgrade your plan. · Needs up to 1,200 credits, 100 available."
        " · INSUFFICIENT_CREDITS"
    )


def test_enter_that_ends_a_composition_sends_nothing(
    open_context: OpenContext, chatbot: Chatbot, live_team: Team
) -> None:
    page = open_playground(open_context(live_team.bob).new_page(), chatbot)
    message = page.get_by_label("Message")
    message.fill("にほんご")
    for event in ({"isComposing": True, "keyCode": 13}, {"isComposing": False, "keyCode": 229}):
        message.dispatch_event("keydown", {"key": "Enter", "bubbles": True, **event})
    expect(message).to_have_value("にほんご")
    assert page.locator(".line-user").count() == 0
    page.keyboard.press("Control+k")
    palette = page.locator("#palette input")
    palette.fill("Leads")
    palette.dispatch_event("keydown", {"key": "Enter", "bubbles": True, "keyCode": 229})
    assert page.url.endswith("/playground")
    page.keyboard.press("Escape")
    message.press("Enter")
    expect(page.locator(".line-user .text")).to_have_text("にほんご")


RENDER_ATTACKS = """async (attacks) => {
    const { render } = await import("/static/js/markdown.js");
    const place = document.createElement("div");
    document.body.append(place);
    const found = [];
    for (const attack of attacks) {
        render(place, attack);
        for (const element of place.querySelectorAll("*")) {
            for (const { name, value } of element.attributes) {
                const leads = name === "href" ? new URL(value, "x:/").protocol : "";
                found.push(`${element.localName} ${name}=${leads}`);
            }
            found.push(element.localName);
        }
    }
    return [[...new Set(found)].sort(), document.hacked];
}"""
"""Renders the attacks; returns the remaining elements, attributes and link protocols."""

ALLOWED_MARKUP = {
    *("a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
    *("a href=https:", "a rel=", "a target=", "pre tabindex="),
}


def test_attacks_are_inert_as_markdown(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot
) -> None:
    page = open_playground(open_context(live_team.bob).new_page(), chatbot)
    rendered, hacked = page.evaluate(RENDER_ATTACKS, list(ATTACKS))
    assert set(rendered) - ALLOWED_MARKUP == set()
    assert hacked is None


def test_attacks_are_inert_in_name_prompt_and_response(
    open_context: OpenContext, live_team: Team, chatbot: Chatbot
) -> None:
    attack_text = "\n\n".join(ATTACKS)
    Chatbot.objects.filter(id=chatbot.id).update(name=ATTACKS[0], system_prompt=attack_text)
    page = open_playground(open_context(live_team.bob).new_page(), chatbot)
    send_message(page, attack_text)
    expect(page.locator(".line-answer")).to_have_attribute("data-state", "done")
    assert page.locator(".thread :is(script, img, svg, iframe, style, form)").count() == 0
    for rest in ("", f"/{chatbot.id}"):
        page.goto(f"/w/{live_team.workspace.slug}/chatbots{rest}")
        expect(page.get_by_text(ATTACKS[0]).first).to_be_visible()
    assert page.evaluate("document.hacked ?? null") is None
