"""Sources of answers in conversations, and questions that were not answered, in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from apps.audit.services import SYSTEM
from apps.conversations.models import Turn
from apps.knowledge.models import Source
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from tests.browser.accessibility import assert_accessible
from tests.browser.attacks import ATTACKS
from tests.browser.conftest import BOTH_SIZES, OpenContext
from tests.conversations.citation_factory import make_citation, make_unanswered_turn
from tests.factories import Team, make_chatbot
from tests.knowledge.chatbot_knowledge import give_knowledge
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.turns.turn_factory import complete_turn, make_running_turn

pytestmark = pytest.mark.browser


@BOTH_SIZES
def test_cited_number_opens_the_passage(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    turn = make_running_turn(make_chatbot(live_team.workspace), text="How long?")
    complete_turn(turn, "30 days [2], see [here](https://attacker.example) [3].")
    Turn.objects.filter(id=turn.id).update(knowledge="found", retrieval_ms=20)
    make_citation(turn, number=1, title="Delivery", text="Two days.")
    passage = "\n\n".join(ATTACKS)
    make_citation(turn, number=2, title=ATTACKS[0], text=passage, url="https://shop.example/")
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/conversations/{turn.conversation_id}")
    sources = page.locator(".source-text")
    expect(sources.nth(0)).to_be_hidden()
    page.get_by_role("link", name="Source 2").click()
    expect(sources.nth(0)).to_be_visible()
    expect(sources.nth(0)).to_have_text(passage)
    expect(sources.nth(1)).to_be_hidden()
    assert page.locator(".line .text a").count() == 1
    assert page.locator(".sources :is(script, img, svg, iframe, style, form)").count() == 0
    assert page.evaluate("document.hacked ?? null") is None
    assert_accessible(page)


@BOTH_SIZES
def test_unanswered_question_gets_an_answer(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    chatbot = make_chatbot(live_team.workspace, name="Support")
    base = make_knowledge_base(live_team.workspace, "Shop pages")
    set_chatbot_knowledge_bases(chatbot=chatbot, base_ids=[base.id], actor=SYSTEM)
    for question in ("Do you sell skis?", "do you sell SKIS", "Thanks!"):
        make_unanswered_turn(chatbot, question)
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/unanswered")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    assert_accessible(page)
    page.get_by_role("button", name="Dismiss “Thanks!”").click()
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="do you sell SKIS", exact=True).click()
    expect(page.get_by_label("Questions")).to_have_value("do you sell SKIS\nDo you sell skis?")
    assert_accessible(page)
    page.get_by_role("textbox", name="Answer").fill("From May on.")
    page.get_by_role("button", name="Add answer").click()
    expect(page.get_by_text("No unanswered questions")).to_be_visible()
    source = Source.objects.get(knowledge_base=base)
    assert source.questions == ["do you sell SKIS", "Do you sell skis?"]


@BOTH_SIZES
def test_playground_shows_sources_before_the_answer(
    open_context: OpenContext, live_team: Team, size: str
) -> None:
    chatbot = make_chatbot(live_team.workspace, "sandbox/cite", name="Support")
    code = f"{ATTACKS[0]} {ATTACKS[1]} " * 8
    text = f"Returns are free within 30 days.\n\n```\n{code}\n```"
    give_knowledge(chatbot, {"Returns": text})
    page = open_context(live_team.bob, size=size).new_page()
    page.goto(f"/w/{live_team.workspace.slug}/chatbots/{chatbot.id}/playground")
    page.get_by_label("Message").fill("Are returns free? See [1](https://attacker.example)")
    page.get_by_label("Message").press("Enter")
    answer = page.locator("[data-pane=saved] .line-answer")
    expect(answer).to_have_attribute("data-state", "done")
    first = answer.locator(".source").first
    expect(first).to_contain_text("Returns")
    expect(first.get_by_text("Cited")).to_be_visible()
    assert answer.locator(".text a:not(.cite)").count() == 0
    answer.locator(".text a.cite").first.click()
    expect(answer.get_by_role("link", name="Show in source")).to_be_visible()
    passage = answer.locator(".source-text").inner_text()
    assert passage.startswith("Returns are free within 30 days.")
    assert passage.count("<img src=x") == 8
    assert answer.locator(":is(script, img, svg, iframe, style, form)").count() == 0
    assert page.evaluate("document.hacked ?? null") is None
    assert_accessible(page)
    page.get_by_role("button", name="New conversation").click()
    page.get_by_label("Message").fill("Thanks")
    page.get_by_label("Message").press("Enter")
    expect(answer.locator(".source-note")).to_have_text("Nothing was found in the knowledge bases.")
