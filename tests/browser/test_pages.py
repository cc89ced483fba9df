"""Every page of a workspace in a real browser: accessible, in both lights, on both screens."""

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
from tests.browser.accessibility import assert_accessible
from tests.browser.conftest import BOTH_SIZES, Open
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.leads.lead_factory import make_lead, make_scanned_conversation
from tests.turns.new_turns import completed, failed, opened

pytestmark = pytest.mark.browser
ATTACK = "<img src=x onerror=alert(1)><script>alert(1)</script>{{ 7 }}"
SHOTS = os.environ.get("SCREENSHOTS")
MORE = [("desktop", "dark"), ("phone", "light")] if SHOTS else []


@pytest.fixture
def life(live_team: Team) -> Team:
    """A workspace in which something has happened."""
    grant_credits(live_team.workspace, 100)
    chatbot = make_chatbot(
        live_team.workspace,
        make_language_model(credits_per_reply=1),
        name="Support <b>bot</b>",
        lead_capture="detect",
    )
    for number in range(3):
        completed(opened(chatbot, credits=1, text=f"Question {number}"), "An answer")
    thread = opened(
        chatbot,
        credits=1,
        text=ATTACK,
        metadata={"userId": ATTACK},
        request_id=new_request_id(),
    )
    with ThreadPoolExecutor(1) as elsewhere:  # here runs Playwright's loop, which would do it later
        elsewhere.submit(log_refused_request, live_team.workspace.id, refused(chatbot.id)).result()
    failed(thread, ATTACK)
    place = {"workspace_id": thread.workspace_id, "conversation_id": thread.conversation_id}
    edit_conversation(**place, title=ATTACK, note=ATTACK, actor=user_actor(live_team.bob))
    rate_answer(
        **place,
        message_id=thread.message_id,
        value=RatingValue.DOWN,
        comment=ATTACK,
        actor=user_actor(live_team.bob),
    )
    opened(chatbot, conversation_id=thread.conversation_id, credits=1, text="Are you there? " * 20)
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


def refused(chatbot_id: str) -> RefusedRequest:
    """A request that met a full window, or so it says."""
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


def addresses(life: Team) -> dict[str, str]:
    """The pages to look at: what to call each, and where it is below the workspace."""
    turn = Turn.objects.get(workspace=life.workspace, status="failed")
    (note,) = refused_requests_for(life.workspace.id)
    delivery = Delivery.objects.get(workspace=life.workspace, response_status=500)
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
        "lead": f"leads/{Lead.objects.get(workspace=life.workspace, email='ana@example.com').id}",
        "conversation": f"conversations/{turn.conversation_id}",
        "requests": "requests",
        "requests-none": "requests?id=req_000000000000000000000000",
        "request": f"requests?id={turn.request_id}",
        "request-refused": f"requests?id={note.request_id}",
    }


@pytest.mark.parametrize(
    ("size", "scheme"),
    # Each screen and each light once; all four for who wants the pictures.
    [("desktop", "light"), ("phone", "dark"), *MORE],
)
def test_pages_are_accessible(visit: Open, life: Team, size: str, scheme: str) -> None:
    page = visit(life.alice, size=size, scheme=scheme).new_page()
    for name, path in addresses(life).items():
        response = page.goto(f"/w/{life.workspace.slug}/{path}")
        assert response is not None
        assert response.status == 200
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{size}-{scheme}.png", full_page=True)
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


@BOTH_SIZES
def test_palette_goes_to_a_chatbot_by_keyboard_alone(visit: Open, life: Team, size: str) -> None:
    page = visit(life.alice, size=size).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type("support bot")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Support <b>bot</b>")).to_be_visible()


def test_palette_is_walked_by_arrows_and_has_actions(visit: Open, life: Team) -> None:
    page = visit(life.alice).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    page.get_by_role("button", name="Search or jump to…").first.click()
    page.keyboard.type("new")
    chosen = page.locator("#palette [aria-selected=true]")
    expect(chosen).to_contain_text("New chatbot")
    page.keyboard.press("ArrowDown")
    expect(chosen).to_contain_text("New API key")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New chatbot", level=1)).to_be_visible()


@BOTH_SIZES
def test_palette_finds_a_conversation_by_the_id_of_a_turn(
    visit: Open, life: Team, size: str
) -> None:
    turn = Turn.objects.get(workspace=life.workspace, status="failed")
    page = visit(life.alice, size=size).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    page.keyboard.press("Control+k")
    page.keyboard.type(turn.id)
    page.keyboard.press("Enter")
    expect(page.locator(f"a[href$='{turn.conversation_id}']")).to_be_visible()
    expect(page.get_by_label("Search", exact=True)).to_have_value(turn.id)
    expect(page.locator("tbody tr")).to_have_count(1)


@BOTH_SIZES
def test_chart_is_read_out_by_arrow_keys(visit: Open, life: Team, size: str) -> None:
    page = visit(life.alice, size=size).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    chart = page.get_by_role("figure", name="Responses")
    chart.get_by_role("img").press("ArrowLeft")
    last = chart.locator("tbody tr").last
    day, turns = last.locator("td").all_text_contents()
    expect(chart.locator(".readout")).to_have_text(f"{day.strip()}: {turns}")


def test_chosen_light_is_remembered_without_a_flash(visit: Open, life: Team) -> None:
    page = visit(life.alice).new_page()
    page.goto(f"/w/{life.workspace.slug}/")
    page.get_by_role("button", name="Switch theme").click()
    page.goto(f"/w/{life.workspace.slug}/chatbots")
    assert 'data-theme="dark"' in page.request.get(page.url).text()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
