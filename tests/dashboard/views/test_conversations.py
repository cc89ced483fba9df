"""Conversations: the list with its filters, and a thread turn by turn."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot, LeadCapture
from apps.conversations.models import Conversation, Rating, Turn
from apps.conversations.search import index_new_messages
from tests.dashboard.page_client import (
    clients_by_role,
    count_queries_at_1_and_50_rows,
    login,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_scanned_conversation
from tests.turns.new_turns import completed, failed, opened


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace, name="Support")


@pytest.fixture
def bob(team: Team) -> Client:
    return login(team.bob)


def url_of(team: Team, *rest: str) -> str:
    return "/".join((f"/w/{team.workspace.slug}/conversations", *rest))


def listed_titles(client: Client, team: Team, **filters: str) -> list[str]:
    """How the listed conversations begin."""
    return [row[0] for row in table_cells(client.get(url_of(team), filters).content.decode())]


def test_list_shows_title_chatbot_source_and_status(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    first = opened(chatbot, text="Where is my order?", metadata={"source": "website"})
    completed(first)
    failed(opened(chatbot, conversation_id=first.conversation_id, text="Hello?"))
    opened(chatbot, text="Second")
    opened(make_chatbot(team.other_workspace), text="Not yours")
    assert table_cells(bob.get(url_of(team)).content.decode()) == [
        ["Second", "Support", "api", "Running", "", "", "just now"],
        ["Where is my order?", "Support", "website", "Failed", "", "", "just now"],
    ]


def test_list_is_filtered_by_chatbot_status_and_id(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    done = opened(chatbot, text="done")
    completed(done)
    broken = opened(chatbot, text="broken")
    failed(broken)
    mended = opened(chatbot, text="mended")
    failed(mended)
    completed(opened(chatbot, conversation_id=mended.conversation_id))
    opened(make_chatbot(team.workspace), text="other")
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
    completed(opened(chatbot, text="nobody"))
    assert listed_titles(bob, team, has_lead="yes") == ["I am at ana@example.com"]
    assert listed_titles(bob, team, has_lead="no") == ["nobody"]
    leads = [row[5] for row in table_cells(bob.get(url_of(team)).content.decode())]
    assert leads == ["", "Lead"]
    assert "Lead: ana@example.com" in visible_text(
        bob.get(url_of(team, thread.id)).content.decode()
    )


def test_date_filter_includes_whole_days(team: Team, bob: Client, chatbot: Chatbot) -> None:
    old, _ = opened(chatbot, text="old"), opened(chatbot, text="new")
    today = timezone.now().date()
    yesterday = today - timedelta(days=1)
    past = timezone.now() - timedelta(days=1)
    Conversation.objects.filter(id=old.conversation_id).update(last_message_at=past)
    assert listed_titles(bob, team, since=today.isoformat()) == ["new"]
    assert listed_titles(bob, team, until=yesterday.isoformat()) == ["old"]
    assert listed_titles(bob, team, since=yesterday.isoformat()) == ["new", "old"]


def test_invalid_filter_is_reported_and_ignored(team: Team, bob: Client, chatbot: Chatbot) -> None:
    opened(chatbot, text="there")
    page = bob.get(url_of(team), {"search": "x\0", "status": "?", "since": "9", "cursor": "x"})
    assert page.status_code == 200
    text = visible_text(page.content.decode())
    assert "Null characters are not allowed." in text
    assert "Enter a valid date." in text
    assert listed_titles(bob, team, search="x\0") == ["there"]


def test_pagination_keeps_the_filters(team: Team, bob: Client, chatbot: Chatbot) -> None:
    for number in range(51):
        completed(opened(chatbot, text=f"number {number}"))
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
    assert "No conversation of that kind" in visible_text(page.content.decode())


def test_conversation_shows_turns_with_metadata_and_receipt(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    turn = opened(chatbot, text="Hi <b>", metadata={"userId": "<script>"}, request_id="req_7")
    completed(turn, "Hello & <i>you</i>", input_tokens=1200, output_tokens=34)
    failed(opened(chatbot, conversation_id=turn.conversation_id, text="And?"))
    html = bob.get(url_of(team, turn.conversation_id)).content.decode()
    assert "<script>" not in html.partition("<main")[2]
    text = visible_text(html)
    assert "Hi <b>" in text
    assert "Hello & <i>you</i>" in text
    assert '{ "userId": "<script>" }' in text
    assert "1,200 in, 34 out" in text
    assert "req_7" in text
    assert "MODEL_ERROR" in text
    assert text.index("Hi <b>") < text.index("And?")


def test_turn_fragment_matches_the_page(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = opened(chatbot, text="Hi")
    Turn.objects.filter(id=turn.id).update(text_so_far="So f")
    page = bob.get(url_of(team, turn.conversation_id)).content.decode()
    alone = bob.get(url_of(team, turn.conversation_id, "turns", turn.id)).content.decode()
    assert visible_text(alone) in visible_text(page)
    assert "Hi" in alone
    assert '<div class="text" data-answer>So f</div>' in alone


@pytest.mark.parametrize("id", ["nonsense", "c" + 24 * "0", "%00"])
def test_unknown_conversation_and_turn_are_not_found(
    team: Team, bob: Client, chatbot: Chatbot, id: str
) -> None:
    there = opened(chatbot)
    foreign = opened(make_chatbot(team.other_workspace))
    for rest in (
        [id],
        [foreign.conversation_id],
        [there.conversation_id, "turns", id],
        [there.conversation_id, "turns", foreign.id],
        [foreign.conversation_id, "turns", foreign.id],
    ):
        assert bob.get(url_of(team, *rest)).status_code == 404, rest


def test_query_counts_are_constant(team: Team, bob: Client, chatbot: Chatbot) -> None:
    thread = opened(chatbot)
    completed(thread)

    def add_conversations(times: int) -> None:
        for _ in range(times):
            completed(opened(chatbot))

    def add_turns(times: int) -> None:
        for _ in range(times):
            completed(opened(chatbot, conversation_id=thread.conversation_id))

    assert count_queries_at_1_and_50_rows(bob, url_of(team), add_conversations) == (11, 11)
    assert count_queries_at_1_and_50_rows(bob, url_of(team, thread.conversation_id), add_turns) == (
        12,
        12,
    )


def test_list_is_searched_and_filtered_by_source_and_rating(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    asked = opened(chatbot, text="Where is my refund?", metadata={"source": "website"})
    completed(asked, "On its way")
    completed(opened(chatbot, text="Another"))
    index_new_messages()
    rate(bob, team, asked, rating="up")
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


def rate(client: Client, team: Team, turn: Turn, **fields: str) -> Any:
    url = url_of(team, turn.conversation_id, "messages", turn.message_id, "rating")
    return client.post(url, fields, follow=True)


def test_title_and_note_are_edited(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = opened(chatbot, text="Hello")
    url = url_of(team, turn.conversation_id, "edit")
    page = bob.post(url, {"title": " Order 4711 ", "note": "Twice.\r\n<b>"}, follow=True)
    assert shown_messages(page) == ["Changes saved."]
    assert "<h1>Order 4711</h1>" in page.content.decode()
    assert listed_titles(bob, team) == ["Order 4711"]
    (entry,) = AuditEntry.objects.filter(action="conversation.renamed")
    assert (entry.actor_label, entry.details) == (team.bob.email, {"fields": ["note", "title"]})
    assert Conversation.objects.get(id=turn.conversation_id).note == "Twice.\n<b>"
    refused = bob.post(url, {"title": "x" * 121, "note": "kept"})
    assert (
        refused.status_code,
        "at most 120 characters" in visible_text(refused.content.decode()),
    ) == (
        422,
        True,
    )
    bob.post(url, {"title": "", "note": ""})
    assert listed_titles(bob, team) == ["Hello"]


def test_answer_is_rated_with_and_without_htmx(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = opened(chatbot)
    completed(turn)
    page = rate(bob, team, turn, rating="down", comment="Too long <b>")
    text = visible_text(page.content.decode())
    assert f"Thumbs down by {team.bob.email} , just now Too long <b>" in text
    url = url_of(team, turn.conversation_id, "messages", turn.message_id, "rating")
    alone = bob.post(url, {"rating": "up"}, headers={"HX-Request": "true"}).content.decode()
    assert alone.lstrip().startswith(f'<div class="rating" id="rating-{turn.message_id}">')
    assert f"Rated up by {team.bob.email} , just now Change rating" in visible_text(alone)
    assert (
        "Rated"
        not in visible_text(rate(bob, team, turn, rating="").content.decode())
        .partition("Rate response")[0]
        .rpartition("Assistant")[2]
    )
    assert Rating.objects.count() == 0


def test_invalid_rating_is_rejected(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = opened(chatbot)
    completed(turn)
    asked = turn.messages.get(role="user")
    assert rate(bob, team, turn, rating="best").status_code == 422
    assert rate(bob, team, turn, rating="up", comment="x" * 1001).status_code == 422
    url = url_of(team, turn.conversation_id, "messages", asked.id, "rating")
    assert bob.post(url, {"rating": "up"}).status_code == 404
    assert Rating.objects.count() == 0


def test_deletion_requires_permission(team: Team, chatbot: Chatbot) -> None:
    turn = opened(chatbot, text="Hello")
    url = url_of(team, turn.conversation_id, "delete")
    people = clients_by_role(team)
    for hand, status in (("member", 403), ("viewer", 403), ("outsider", 404)):
        assert people[hand].post(url).status_code == status, hand
    thread = url_of(team, turn.conversation_id)
    shown = {
        hand: "Delete “Hello”?" in visible_text(people[hand].get(thread).content.decode())
        for hand in ("owner", "admin", "member", "viewer")
    }
    assert shown == {"owner": True, "admin": True, "member": False, "viewer": False}
    busy = people["owner"].post(url, follow=True)
    assert shown_messages(busy) == [
        "A reply is still being written in this conversation. Wait for it, or stop it."
    ]
    completed(turn)
    gone = people["owner"].post(url, follow=True)
    assert (shown_messages(gone), table_cells(gone.content.decode())) == (
        ["Conversation deleted."],
        [],
    )
    for rest in ([], ["turns", turn.id], ["edit"], ["delete"]):
        address = url_of(team, turn.conversation_id, *rest)
        method = people["owner"].post if rest in (["edit"], ["delete"]) else people["owner"].get
        assert method(address).status_code == 404, rest


def test_viewer_sees_note_and_rating_read_only(team: Team, chatbot: Chatbot) -> None:
    turn = opened(chatbot)
    completed(turn)
    people = clients_by_role(team)
    people["member"].post(url_of(team, turn.conversation_id, "edit"), {"note": "Called back"})
    rate(people["member"], team, turn, rating="up")
    page = people["viewer"].get(url_of(team, turn.conversation_id)).content.decode()
    text = visible_text(page)
    assert ("Called back" in text, "Rated up" in text, "Change rating" in text) == (
        True,
        True,
        False,
    )
    assert page.partition("<main")[2].count("<form") == 0
    for rest in (["edit"], ["messages", turn.message_id, "rating"]):
        posted = people["viewer"].post(url_of(team, turn.conversation_id, *rest), {"rating": "up"})
        assert posted.status_code == 403


def test_advanced_filters_are_in_a_menu_with_a_count(team: Team) -> None:
    given = {"rated": "up", "source": "website", "search": "x"}
    html = login(team.bob).get(url_of(team), given).content.decode()
    menu = html.partition('<summary class="button">More filters')[2].partition("</details>")[0]
    assert visible_text(menu).startswith("2 Source Rating")
    assert re.findall(r'name="(\w+)"', menu) == ["source", "rated", "has_lead"]
