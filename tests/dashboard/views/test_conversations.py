"""The list of conversations and its filters."""

from __future__ import annotations

import re
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from apps.chatbots.models import Chatbot, LeadCapture
from apps.conversations.models import Conversation
from apps.conversations.search import index_new_messages
from tests.dashboard.conversation_pages import listed_titles, rate, url_of
from tests.dashboard.page_client import (
    count_queries_at_1_and_50_rows,
    login,
    table_cells,
    visible_text,
)
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_scanned_conversation
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


def test_list_shows_title_chatbot_source_and_status(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    first = make_running_turn(chatbot, text="Where is my order?", metadata={"source": "website"})
    complete_turn(first)
    fail_turn(make_running_turn(chatbot, conversation_id=first.conversation_id, text="Hello?"))
    make_running_turn(chatbot, text="Second")
    make_running_turn(make_chatbot(team.other_workspace), text="Not yours")
    assert table_cells(bob.get(url_of(team)).content.decode()) == [
        ["Second", "Support", "api", "Running", "", "", "just now"],
        ["Where is my order?", "Support", "website", "Failed", "", "", "just now"],
    ]


def test_first_message_that_is_blank_or_reversed_is_a_legible_title(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    make_running_turn(chatbot, text="\u202eInvoice")
    blank = make_running_turn(chatbot, text="\u3164")
    assert listed_titles(bob, team) == [blank.conversation_id, "Invoice"]
    page = bob.get(f"{url_of(team)}/{blank.conversation_id}").content.decode()
    assert f"<h1>{blank.conversation_id}</h1>" in page


def test_list_is_filtered_by_chatbot_status_and_id(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    done = make_running_turn(chatbot, text="done")
    complete_turn(done)
    broken = make_running_turn(chatbot, text="broken")
    fail_turn(broken)
    mended = make_running_turn(chatbot, text="mended")
    fail_turn(mended)
    complete_turn(make_running_turn(chatbot, conversation_id=mended.conversation_id))
    make_running_turn(make_chatbot(team.workspace), text="other")
    assert listed_titles(bob, team, chatbot_id=chatbot.id) == ["mended", "broken", "done"]
    assert listed_titles(bob, team, status="completed") == ["mended", "done"]
    assert listed_titles(bob, team, status="failed") == ["broken"]
    assert listed_titles(bob, team, status="running") == ["other"]
    assert listed_titles(bob, team, search=broken.conversation_id) == ["broken"]
    assert listed_titles(bob, team, search=f" {done.id} ") == ["done"]
    assert listed_titles(bob, team, search=done.messages.get(role="assistant").id) == ["done"]
    assert listed_titles(bob, team, chatbot_id=chatbot.id, status="running") == []


def test_list_and_conversation_link_to_the_lead(team: Team, bob: Client) -> None:
    chatbot = make_chatbot(team.workspace, lead_capture=LeadCapture.DETECT)
    thread = make_scanned_conversation(chatbot, "I am at ana@example.com")
    complete_turn(make_running_turn(chatbot, text="nobody"))
    assert listed_titles(bob, team, has_lead="yes") == ["I am at ana@example.com"]
    assert listed_titles(bob, team, has_lead="no") == ["nobody"]
    leads = [row[5] for row in table_cells(bob.get(url_of(team)).content.decode())]
    assert leads == ["", "Lead"]
    assert "Lead: ana@example.com" in visible_text(
        bob.get(url_of(team, thread.id)).content.decode()
    )


def test_date_filter_includes_whole_days(team: Team, bob: Client, chatbot: Chatbot) -> None:
    old, _ = make_running_turn(chatbot, text="old"), make_running_turn(chatbot, text="new")
    today = timezone.now().date()
    yesterday = today - timedelta(days=1)
    past = timezone.now() - timedelta(days=1)
    Conversation.objects.filter(id=old.conversation_id).update(last_message_at=past)
    assert listed_titles(bob, team, since=today.isoformat()) == ["new"]
    assert listed_titles(bob, team, until=yesterday.isoformat()) == ["old"]
    assert listed_titles(bob, team, since=yesterday.isoformat()) == ["new", "old"]


def test_invalid_filter_is_reported_and_ignored(team: Team, bob: Client, chatbot: Chatbot) -> None:
    make_running_turn(chatbot, text="there")
    page = bob.get(url_of(team), {"status": "?", "since": "9", "cursor": "x"})
    assert page.status_code == 200
    text = visible_text(page.content.decode())
    assert "Write a day as 2027-12-31." in text
    assert "there" in text
    assert bob.get(url_of(team), {"search": "x\0"}).status_code == 400


def test_pagination_keeps_the_filters(team: Team, bob: Client, chatbot: Chatbot) -> None:
    for number in range(51):
        complete_turn(make_running_turn(chatbot, text=f"number {number}"))
    page = bob.get(url_of(team), {"status": "completed"})
    older = page.context["page"].next_url
    assert older.startswith("?status=completed&cursor=")
    assert [row[0] for row in table_cells(bob.get(url_of(team) + older).content.decode())] == [
        "number 0"
    ]
    assert bob.get(url_of(team) + older).context["page"].first_url == "?status=completed"


def test_empty_list_is_explained(team: Team, bob: Client) -> None:
    assert "No conversations yet" in visible_text(bob.get(url_of(team)).content.decode())
    page = bob.get(url_of(team), {"status": "failed"})
    assert "No matching conversations" in visible_text(page.content.decode())


def test_query_counts_are_constant(team: Team, bob: Client, chatbot: Chatbot) -> None:
    thread = make_running_turn(chatbot)
    complete_turn(thread)

    def add_conversations(times: int) -> None:
        for _ in range(times):
            complete_turn(make_running_turn(chatbot))

    def add_turns(times: int) -> None:
        for _ in range(times):
            complete_turn(make_running_turn(chatbot, conversation_id=thread.conversation_id))

    assert count_queries_at_1_and_50_rows(bob, url_of(team), add_conversations) == (11, 11)
    assert count_queries_at_1_and_50_rows(bob, url_of(team, thread.conversation_id), add_turns) == (
        12,
        12,
    )


def test_list_is_searched_and_filtered_by_source_and_rating(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    refund = make_running_turn(chatbot, text="Where is my refund?", metadata={"source": "website"})
    complete_turn(refund, "On its way")
    complete_turn(make_running_turn(chatbot, text="Another"))
    index_new_messages()
    rate(bob, team, refund, rating="up")
    for filters in (
        {"search": "refund way"},
        {"search": "refunds"},
    ):
        assert listed_titles(bob, team, **filters) == []
    for filters in (
        {"search": "REFUND"},
        {"search": "where refu"},
        {"source": "website"},
        {"rated": "up"},
        {"rated": "any", "search": "refund", "source": "website"},
    ):
        assert listed_titles(bob, team, **filters) == ["Where is my refund?"], filters
    assert listed_titles(bob, team, rated="none") == ["Another"]
    assert [row[4] for row in table_cells(bob.get(url_of(team)).content.decode())] == [
        "",
        "1 thumbs up",
    ]


def test_advanced_filters_are_in_a_menu_with_a_count(team: Team) -> None:
    given = {"rated": "up", "source": "website", "search": "x"}
    html = login(team.bob).get(url_of(team), given).content.decode()
    menu = html.partition('<summary class="button">More filters')[2].partition("</details>")[0]
    assert visible_text(menu).startswith("2 Source Rating")
    assert re.findall(r'name="(\w+)"', menu) == ["source", "rated", "has_lead"]
