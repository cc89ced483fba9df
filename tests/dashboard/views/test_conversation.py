"""One conversation: its turns, title, note, ratings and deletion."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Rating, Turn
from tests.dashboard.conversation_pages import listed_titles, rate, url_of
from tests.dashboard.page_client import (
    clients_by_role,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


def test_conversation_shows_turns_with_metadata_and_receipt(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    turn = make_running_turn(
        chatbot, text="Hi <b>", metadata={"userId": "<script>"}, request_id="req_7"
    )
    complete_turn(turn, "Hello & <i>you</i>", input_tokens=1200, output_tokens=34)
    fail_turn(make_running_turn(chatbot, conversation_id=turn.conversation_id, text="And?"))
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
    turn = make_running_turn(chatbot, text="Hi")
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
    there = make_running_turn(chatbot)
    foreign = make_running_turn(make_chatbot(team.other_workspace))
    for rest in (
        [id],
        [foreign.conversation_id],
        [there.conversation_id, "turns", id],
        [there.conversation_id, "turns", foreign.id],
        [foreign.conversation_id, "turns", foreign.id],
    ):
        assert bob.get(url_of(team, *rest)).status_code == 404, rest


def test_title_and_note_are_edited(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, text="Hello")
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
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    page = rate(bob, team, turn, rating="down", comment="Too long <b>")
    text = visible_text(page.content.decode())
    assert f"Thumbs down by {team.bob.email} , just now Too long <b>" in text
    url = url_of(team, turn.conversation_id, "messages", turn.message_id, "rating")
    alone = bob.post(url, {"rating": "up"}, headers={"HX-Request": "true"}).content.decode()
    assert alone.lstrip().startswith(f'<div class="rating" id="rating-{turn.message_id}">')
    assert f"Thumbs up by {team.bob.email} , just now Change rating" in visible_text(alone)
    assert (
        "Rated"
        not in visible_text(rate(bob, team, turn, rating="").content.decode())
        .partition("Rate response")[0]
        .rpartition("Assistant")[2]
    )
    assert Rating.objects.count() == 0


def test_invalid_rating_is_rejected(team: Team, bob: Client, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    question = turn.messages.get(role="user")
    assert rate(bob, team, turn, rating="best").status_code == 422
    assert rate(bob, team, turn, rating="up", comment="x" * 1001).status_code == 422
    url = url_of(team, turn.conversation_id, "messages", question.id, "rating")
    assert bob.post(url, {"rating": "up"}).status_code == 404
    assert Rating.objects.count() == 0


def test_deletion_requires_permission(team: Team, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, text="Hello")
    url = url_of(team, turn.conversation_id, "delete")
    clients = clients_by_role(team)
    for role, status in (("member", 403), ("viewer", 403), ("outsider", 404)):
        assert clients[role].post(url).status_code == status, role
    thread = url_of(team, turn.conversation_id)
    shown = {
        role: "Delete “Hello”?" in visible_text(clients[role].get(thread).content.decode())
        for role in ("owner", "admin", "member", "viewer")
    }
    assert shown == {"owner": True, "admin": True, "member": False, "viewer": False}
    busy = clients["owner"].post(url, follow=True)
    assert shown_messages(busy) == [
        "A reply is still being written in this conversation. Wait for it, or stop it."
    ]
    complete_turn(turn)
    gone = clients["owner"].post(url, follow=True)
    assert (shown_messages(gone), table_cells(gone.content.decode())) == (
        ["Conversation deleted."],
        [],
    )
    for rest in ([], ["turns", turn.id], ["edit"], ["delete"]):
        address = url_of(team, turn.conversation_id, *rest)
        method = clients["owner"].post if rest in (["edit"], ["delete"]) else clients["owner"].get
        assert method(address).status_code == 404, rest


def test_viewer_sees_note_and_rating_read_only(team: Team, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    clients = clients_by_role(team)
    clients["member"].post(url_of(team, turn.conversation_id, "edit"), {"note": "Called back"})
    rate(clients["member"], team, turn, rating="up")
    page = clients["viewer"].get(url_of(team, turn.conversation_id)).content.decode()
    text = visible_text(page)
    assert ("Called back" in text, "Thumbs up" in text, "Change rating" in text) == (
        True,
        True,
        False,
    )
    assert page.partition("<main")[2].count("<form") == 0
    for rest in (["edit"], ["messages", turn.message_id, "rating"]):
        posted = clients["viewer"].post(url_of(team, turn.conversation_id, *rest), {"rating": "up"})
        assert posted.status_code == 403
