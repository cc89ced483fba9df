"""The REST endpoints of conversations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot, LeadCapture
from apps.conversations.models import Conversation, Message, Turn
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot
from tests.leads.lead_factory import make_scanned_conversation
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace)


def make_turn(chatbot: Chatbot, text: str, answer: str = "Hi", **fields: Any) -> Turn:
    turn = make_running_turn(chatbot, text=text, **fields)
    complete_turn(turn, answer)
    return turn


def list_previews(api: Api, query: str = "") -> list[str]:
    """The previews of the listed conversations."""
    page = api("GET", f"/conversations{query}")
    return [each["preview"] for each in page["conversations"]]


def test_list_shows_each_conversation(api: Api, team: Team, chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "Where is my order?", metadata={"source": "website"})
    make_turn(make_chatbot(team.other_workspace), "Not yours")
    page = api("GET", "/conversations")
    conversation = Conversation.objects.get(id=turn.conversation_id)
    assert page["nextCursor"] is None
    (shown,) = page["conversations"]
    moments = {name: shown.pop(name) for name in ("createdAt", "lastMessageAt")}
    assert shown == {
        "id": turn.conversation_id,
        "chatbotId": chatbot.id,
        "title": None,
        "note": None,
        "preview": "Where is my order?",
        "source": "website",
        "hasLead": False,
        "lastTurn": {"id": turn.id, "status": "completed"},
        "ratings": {"up": 0, "down": 0},
    }
    assert moments["lastMessageAt"].startswith(f"{conversation.last_message_at:%Y-%m-%dT%H:%M:%S}")
    assert api("GET", f"/conversations/{turn.conversation_id}") == {**shown, **moments}


def test_list_pages_are_complete(api: Api, chatbot: Chatbot) -> None:
    for number in range(5):
        make_turn(chatbot, f"number {number}")
    first = api("GET", "/conversations?limit=2")
    second = api("GET", f"/conversations?limit=2&cursor={first['nextCursor']}")
    third = api("GET", f"/conversations?limit=2&cursor={second['nextCursor']}")
    pages = [[each["preview"][-1] for each in page["conversations"]] for page in (first, second)]
    assert pages == [["4", "3"], ["2", "1"]]
    assert [each["preview"] for each in third["conversations"]] == ["number 0"]
    assert third["nextCursor"] is None


def test_list_filters(api: Api, team: Team, chatbot: Chatbot) -> None:
    capturing = make_chatbot(team.workspace, lead_capture=LeadCapture.DETECT)
    make_scanned_conversation(capturing, "I am at ana@example.com")
    broken = make_running_turn(chatbot, text="broken", metadata={"source": "website"})
    fail_turn(broken)
    retried = make_running_turn(chatbot, text="retried")
    fail_turn(retried)
    complete_turn(make_running_turn(chatbot, conversation_id=retried.conversation_id))
    make_running_turn(chatbot, text="running")
    done = make_turn(chatbot, "done")
    assert list_previews(api, f"?chatbotId={capturing.id}") == ["I am at ana@example.com"]
    assert list_previews(api, "?status=failed") == ["broken"]
    assert list_previews(api, "?status=running") == ["running"]
    assert list_previews(api, "?status=completed") == [
        "done",
        "retried",
        "I am at ana@example.com",
    ]
    assert list_previews(api, "?status=stopped") == []
    assert list_previews(api, "?source=website") == ["broken"]
    assert list_previews(api, "?source=api&status=running") == ["running"]
    assert list_previews(api, "?hasLead=true") == ["I am at ana@example.com"]
    assert list_previews(api, "?hasLead=false") == ["done", "running", "retried", "broken"]
    assert list_previews(api, f"?search={done.id}") == ["done"]
    assert list_previews(api, f"?search={done.message_id}&status=failed") == []


def test_failed_filter_keeps_order_over_pages(api: Api, chatbot: Chatbot) -> None:
    for number in range(3):
        thread = make_running_turn(chatbot, text=f"number {number}")
        fail_turn(thread)
        fail_turn(make_running_turn(chatbot, conversation_id=thread.conversation_id))
    first = api("GET", "/conversations?status=failed&limit=2")
    assert [each["preview"] for each in first["conversations"]] == ["number 2", "number 1"]
    assert list_previews(api, f"?status=failed&limit=2&cursor={first['nextCursor']}") == [
        "number 0"
    ]


def test_list_filters_by_time_and_rating(api: Api, chatbot: Chatbot) -> None:
    old, good, bad = (make_turn(chatbot, text) for text in ("old", "good", "bad"))
    time = timezone.now() - timedelta(days=1)
    Conversation.objects.filter(id=old.conversation_id).update(last_message_at=time)
    for turn, rating in ((good, "up"), (bad, "down")):
        api("PUT", rating_path(turn), {"rating": rating})
    timestamp = time.isoformat().replace("+00:00", "Z")
    assert list_previews(api, f"?to={timestamp}") == []
    assert list_previews(api, f"?from={timestamp}") == ["bad", "good", "old"]
    after = (time + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert (list_previews(api, f"?to={after}"), list_previews(api, f"?from={after}")) == (
        ["old"],
        ["bad", "good"],
    )
    assert list_previews(api, "?rated=any") == ["bad", "good"]
    assert (list_previews(api, "?rated=up"), list_previews(api, "?rated=down")) == (
        ["good"],
        ["bad"],
    )
    assert list_previews(api, "?rated=none") == ["old"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=101", "limit"),
        ("cursor=x", "cursor"),
        ("chatbotId=x", "chatbotId"),
        ("status=done", "status"),
        ("hasLead=yes", "hasLead"),
        ("rated=twice", "rated"),
        ("from=yesterday", "from"),
        ("to=2026-11-23T07:00:00", "to"),
        ("search=%00", "search"),
        (f"source={'x' * 61}", "source"),
    ],
)
def test_invalid_filter_is_rejected(api: Api, query: str, field: str) -> None:
    response = api.send("GET", f"/conversations?{query}").json()
    assert (response["code"], list(response["details"])) == ("VALIDATION_ERROR", [field])


def test_title_and_note_are_set_and_removed(api: Api, chatbot: Chatbot) -> None:
    path = f"/conversations/{make_turn(chatbot, 'Hello').conversation_id}"
    titled = api("PATCH", path, {"title": "  Order 4711 ", "note": "Refunded.\nTwice."})
    assert (titled["title"], titled["note"]) == ("Order 4711", "Refunded.\nTwice.")
    assert api("PATCH", path, {"note": None})["title"] == "Order 4711"
    assert api("PATCH", path, {}) == api("GET", path)
    assert api("GET", path)["note"] is None
    assert api("PATCH", path, {"title": None})["title"] is None
    log = AuditEntry.objects.filter(target_id=path.rpartition("/")[2]).order_by("created_at")
    assert list(log.values_list("action", "actor_kind", "details")) == [
        ("conversation.renamed", "api_key", {"fields": ["note", "title"]}),
        ("conversation.annotated", "api_key", {"fields": ["note"]}),
        ("conversation.renamed", "api_key", {"fields": ["title"]}),
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"note": "x" * 4001}, "note"),
        ({"note": 5}, "note"),
        ({"name": "x"}, "name"),
    ],
)
def test_invalid_title_or_note_is_rejected(
    api: Api, chatbot: Chatbot, body: dict[str, Any], field: str
) -> None:
    path = f"/conversations/{make_turn(chatbot, 'Hello').conversation_id}"
    response = api.send("PATCH", path, body)
    assert (response.status_code, list(response.json()["details"])) == (400, [field])


def rating_path(turn: Turn) -> str:
    return f"/conversations/{turn.conversation_id}/messages/{turn.message_id}/rating"


def test_rating_is_replaced_and_removed(api: Api, team: Team, chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "Hello")
    up = api("PUT", rating_path(turn), {"rating": "up"})
    assert (up["id"], up["rating"]["rating"], up["rating"]["comment"]) == (
        turn.message_id,
        "up",
        None,
    )
    assert up["rating"]["ratedBy"]["kind"] == "api_key"
    down = api("PUT", rating_path(turn), {"rating": "down", "comment": " Too\nlong "})
    assert (down["rating"]["rating"], down["rating"]["comment"]) == ("down", "Too\nlong")
    path = f"/conversations/{turn.conversation_id}"
    user, answer = api("GET", f"{path}/messages")["messages"]
    assert (user["rating"], answer) == (None, down)
    assert api("GET", path)["ratings"] == {"up": 0, "down": 1}
    assert api("DELETE", rating_path(turn))["rating"] is None
    assert api("DELETE", rating_path(turn))["rating"] is None
    assert api("GET", path)["ratings"] == {"up": 0, "down": 0}


def test_only_answers_of_the_conversation_can_be_rated(api: Api, chatbot: Chatbot) -> None:
    turn, other = make_turn(chatbot, "Hello"), make_turn(chatbot, "Other")
    question = Message.objects.get(turn=turn, role="user")
    path = f"/conversations/{turn.conversation_id}/messages"
    response = [
        api.send(method, f"{path}/{id}/rating", {"rating": "up"} if method == "PUT" else None)
        for id in (question.id, other.message_id)
        for method in ("PUT", "DELETE")
    ]
    assert [(each.status_code, each.json()["code"]) for each in response] == [
        *[(409, "MESSAGE_NOT_AN_ANSWER")] * 2,
        *[(404, "MESSAGE_NOT_FOUND")] * 2,
    ]


def test_deleted_conversation_is_not_found(api: Api, chatbot: Chatbot) -> None:
    turn = make_turn(chatbot, "Hello")
    path = f"/conversations/{turn.conversation_id}"
    assert api("DELETE", path) == {"id": turn.conversation_id, "deleted": True}
    assert list_previews(api) == []
    responses = [
        api.send("GET", path),
        api.send("GET", f"{path}/messages"),
        api.send("PATCH", path, {"title": "x"}),
        api.send("PUT", rating_path(turn), {"rating": "up"}),
        api.send("DELETE", path),
    ]
    assert {each.json()["code"] for each in responses} == {"CONVERSATION_NOT_FOUND"}
    receipt = api.send("GET", f"/chatbots/{chatbot.id}/turns/{turn.id}")
    assert receipt.json()["code"] == "TURN_NOT_FOUND"


def test_conversation_with_running_turn_cannot_be_deleted(api: Api, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    response = api.send("DELETE", f"/conversations/{turn.conversation_id}")
    assert (response.status_code, response.json()["code"]) == (409, "CONVERSATION_BUSY")
    complete_turn(turn)
    assert api("DELETE", f"/conversations/{turn.conversation_id}")["deleted"] is True


def test_list_query_count_does_not_grow_with_rows(api: Api, chatbot: Chatbot) -> None:
    counts = []
    for more in (1, 49):
        for _ in range(more):
            api("PUT", rating_path(make_turn(chatbot, "Hello")), {"rating": "up"})
        with CaptureQueriesContext(connection) as captured:
            assert len(list_previews(api)) in (1, 50)
        counts.append(len(captured))
    assert counts == [4, 4]
