"""Main workspace pages in Chromium: accessibility, sidebar, command palette, charts and theme."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from apps.api_kit.refusal_log import RefusedRequest, log_refused_request, refused_requests_for
from apps.audit.services import user_actor
from apps.conversations.annotations import edit_conversation, rate_answer
from apps.conversations.models import RatingValue, Turn
from apps.core.ids import new_request_id
from apps.leads.models import Lead
from apps.webhooks.models import Delivery
from apps.webhooks.services import send_test
from apps.workspaces.models import Workspace
from tests.browser.accessibility import assert_accessible, assert_fits_screen
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.dashboard.page_client import page_path
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.leads.lead_factory import make_lead, make_scanned_conversation
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn

pytestmark = pytest.mark.browser
ATTACK = "<img src=x onerror=alert(1)><script>alert(1)</script>{{ 7 }}"
SCREENSHOT_DIR = os.environ.get("SCREENSHOTS")
EXTRA_LOOKS = [("desktop", "dark"), ("phone", "light")] if SCREENSHOT_DIR else []


@pytest.fixture
def active_team(live_team: Team) -> Team:
    """A workspace with turns, leads, ratings, webhooks and a refused request."""
    grant_credits(live_team.workspace, 100)
    chatbot = make_chatbot(
        live_team.workspace,
        make_language_model(credits_per_reply=1),
        name="Support <b>bot</b>",
        lead_capture="detect",
    )
    for number in range(3):
        complete_turn(make_running_turn(chatbot, credits=1, text=f"Question {number}"), "An answer")
    turn = make_running_turn(
        chatbot,
        credits=1,
        text=ATTACK,
        metadata={"userId": ATTACK},
        request_id=new_request_id(),
    )
    # Playwright's loop runs in this thread and would defer the task.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(
            log_refused_request, live_team.workspace.id, rate_limited_request(chatbot.id)
        ).result()
    fail_turn(turn, ATTACK)
    conversation = {"workspace_id": turn.workspace_id, "conversation_id": turn.conversation_id}
    edit_conversation(**conversation, title=ATTACK, note=ATTACK, actor=user_actor(live_team.bob))
    rate_answer(
        **conversation,
        message_id=turn.message_id,
        value=RatingValue.DOWN,
        comment=ATTACK,
        actor=user_actor(live_team.bob),
    )
    make_running_turn(
        chatbot, conversation_id=turn.conversation_id, credits=1, text="Are you there? " * 20
    )
    make_scanned_conversation(chatbot, f"I am Ana Lima, ana@example.com. {ATTACK}")
    make_lead(chatbot, name=ATTACK, email="b@example.com", metadata={"note": ATTACK})
    endpoint, _ = make_webhook_endpoint(live_team.workspace, description=ATTACK)
    delivery = send_test(endpoint=endpoint)
    Delivery.objects.filter(id=delivery.id).update(
        status="failed",
        next_attempt_at=None,
        response_status=500,
        response_body=ATTACK,
        request_headers={"webhook-id": delivery.event_id},
    )
    return live_team


def rate_limited_request(chatbot_id: str) -> RefusedRequest:
    """A rate-limited request."""
    return RefusedRequest(
        request_id=new_request_id(),
        at=time.time(),
        method="POST",
        path=f"/api/v1/chatbots/{chatbot_id}/chat",
        status=429,
        code="RATE_LIMIT_EXCEEDED",
        error=ATTACK,
        chatbot_id=chatbot_id,
        limit=60,
        remaining=0,
        reset=int(time.time()) + 12,
        retry_after=12,
    )


def page_paths(active_team: Team) -> dict[str, str]:
    """Page names and paths below the workspace."""
    turn = Turn.objects.get(workspace=active_team.workspace, status="failed")
    (refused_request,) = refused_requests_for(active_team.workspace.id)
    delivery = Delivery.objects.get(workspace=active_team.workspace, response_status=500)
    lead = Lead.objects.get(workspace=active_team.workspace, email="ana@example.com")
    return {
        "overview": "",
        "chatbots": "chatbots",
        "conversations": "conversations",
        "conversations-none": "conversations?status=stopped",
        "credits": "credits",
        "statement": f"credits/months/{timezone.now():%Y-%m}",
        "webhooks": "webhooks",
        "webhook-new": "webhooks/new",
        "webhook": f"webhooks/{delivery.endpoint_id}",
        "delivery": f"deliveries/{delivery.id}",
        "leads": "leads",
        "lead": f"leads/{lead.id}",
        "conversation": f"conversations/{turn.conversation_id}",
        "requests": "requests",
        "requests-none": "requests?id=req_000000000000000000000000",
        "request": f"requests?id={turn.request_id}",
        "request-refused": f"requests?id={refused_request.request_id}",
    }


@pytest.mark.parametrize(
    ("size", "scheme"),
    # Each size and scheme once; all four combinations when taking screenshots.
    [("desktop", "light"), ("phone", "dark"), *EXTRA_LOOKS],
)
def test_pages_are_accessible(
    open_context: OpenContext, active_team: Team, size: str, scheme: str
) -> None:
    page = open_context(active_team.alice, size=size, scheme=scheme).new_page()
    for name, path in page_paths(active_team).items():
        response = page.goto(f"/w/{active_team.workspace.slug}/{path}")
        assert response is not None
        assert response.status == 200
        if SCREENSHOT_DIR:
            page.screenshot(
                path=Path(SCREENSHOT_DIR) / f"{name}-{size}-{scheme}.png", full_page=True
            )
        assert_accessible(page)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_reference_is_accessible(
    open_context: OpenContext, live_team: Team, size: str, scheme: str
) -> None:
    page = open_context(live_team.alice, size=size, scheme=scheme).new_page()
    page.goto("/docs/api")
    if SCREENSHOT_DIR:
        page.screenshot(path=Path(SCREENSHOT_DIR) / f"reference-{size}-{scheme}.png")
    expect(page.get_by_role("heading", name="API reference", level=1)).to_be_visible()
    assert_accessible(page)


def test_sidebar_opens_on_phone(open_context: OpenContext, active_team: Team) -> None:
    page = open_context(active_team.alice, size="phone").new_page()
    page.goto(f"/w/{active_team.workspace.slug}/")
    link = page.get_by_role("link", name="Chatbots", exact=True)
    expect(link).not_to_be_in_viewport()
    page.get_by_role("button", name="Menu").click()
    link.click()
    expect(page.get_by_role("heading", name="Chatbots", level=1)).to_be_visible()


def test_sidebar_opens_without_script(open_context: OpenContext, active_team: Team) -> None:
    page = open_context(active_team.alice, size="phone").new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(f"/w/{active_team.workspace.slug}/")
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Chatbots", exact=True).click()
    expect(page.get_by_role("heading", name="Chatbots", level=1)).to_be_visible()


@BOTH_SIZES
def test_palette_opens_chatbot_by_keyboard(
    open_context: OpenContext, active_team: Team, size: str
) -> None:
    page = open_context(active_team.alice, size=size).new_page()
    page.goto(f"/w/{active_team.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("support bot")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Support <b>bot</b>")).to_be_visible()


def test_palette_arrow_keys_and_actions(open_context: OpenContext, active_team: Team) -> None:
    page = open_context(active_team.alice).new_page()
    page.goto(f"/w/{active_team.workspace.slug}/")
    page.get_by_role("button", name="Search…").first.click()
    page.keyboard.type("new")
    chosen = page.locator("#palette [aria-selected=true]")
    expect(chosen).to_contain_text("New chatbot")
    page.keyboard.press("ArrowDown")
    expect(chosen).to_contain_text("New API key")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New chatbot", level=1)).to_be_visible()


@BOTH_SIZES
def test_palette_finds_conversation_by_turn_id(
    open_context: OpenContext, active_team: Team, size: str
) -> None:
    turn = Turn.objects.get(workspace=active_team.workspace, status="failed")
    page = open_context(active_team.alice, size=size).new_page()
    page.goto(f"/w/{active_team.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type(turn.id)
    page.keyboard.press("Enter")
    expect(page.locator(f"a[href$='{turn.conversation_id}']")).to_be_visible()
    expect(page.get_by_role("textbox", name="Search")).to_have_value(turn.id)
    expect(page.locator("tbody tr")).to_have_count(1)


@BOTH_SIZES
def test_chart_is_read_by_arrow_keys(
    open_context: OpenContext, active_team: Team, size: str
) -> None:
    page = open_context(active_team.alice, size=size).new_page()
    page.goto(f"/w/{active_team.workspace.slug}/")
    chart = page.get_by_role("figure", name="Responses")
    chart.get_by_role("img").press("ArrowLeft")
    last = chart.locator("tbody tr").last
    day, turns = last.locator("td").all_text_contents()
    expect(chart.locator(".readout")).to_have_text(f"{day.strip()}: {turns}")


def test_theme_choice_is_remembered(open_context: OpenContext, active_team: Team) -> None:
    page = open_context(active_team.alice).new_page()
    page.goto(f"/w/{active_team.workspace.slug}/")
    page.get_by_role("button", name="Switch theme").click()
    page.goto(f"/w/{active_team.workspace.slug}/chatbots")
    assert 'data-theme="dark"' in page.request.get(page.url).text()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_names_of_one_long_word_fit_a_phone(open_context: OpenContext, live_team: Team) -> None:
    word = "W" * 120
    workspace = live_team.workspace
    Workspace.objects.filter(id=workspace.id).update(name=word)
    grant_credits(workspace, 10)
    chatbot = make_chatbot(workspace, name=word)
    make_chatbot(workspace)
    turn = make_running_turn(chatbot, credits=1, text=word * 2)
    Turn.objects.filter(id=turn.id).update(model_name=word)
    conversation = {"workspace_id": workspace.id, "conversation_id": turn.conversation_id}
    edit_conversation(**conversation, title=word, note=word, actor=user_actor(live_team.bob))
    make_lead(chatbot, name=word, email=f"{'w' * 60}@{'w' * 60}.example.com")
    page = open_context(live_team.alice, size="phone").new_page()
    base = page_path(workspace, "")
    paths = ["", f"conversations/{turn.conversation_id}", "developers", f"chatbots/{chatbot.id}"]
    for path in [*(base + path for path in [*paths, "leads", "settings"]), "/docs"]:
        page.goto(path)
        assert_fits_screen(page)


def test_form_is_sent_once(open_context: OpenContext, live_team: Team) -> None:
    page = open_context(live_team.alice).new_page()
    page.goto(page_path(live_team.workspace, "keys"))
    was_stopped = page.evaluate(
        """() => {
          const form = document.querySelector("#new form");
          const stopped = [];
          addEventListener("submit", (event) => {
            stopped.push(event.defaultPrevented);
            event.preventDefault(); // the test stays on the page
          });
          form.requestSubmit();
          form.requestSubmit();
          dispatchEvent(new Event("pageshow"));
          form.requestSubmit();
          return stopped;
        }"""
    )
    assert was_stopped == [False, True, False]
