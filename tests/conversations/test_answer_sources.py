"""The sources of answers in messages and receipts."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from tests.api_kit.rest_client import Api
from tests.conversations.citation_factory import make_citation
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn

ADDRESS = "https://acme.example/returns"


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace)


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace)


def make_turn_with_sources(chatbot: Chatbot, answer: str = "Yes [2].", **fields: Any) -> Turn:
    turn = make_running_turn(chatbot, **fields)
    Turn.objects.filter(id=turn.id).update(retrieval_ms=12)
    make_citation(turn, number=2, title="Handbook", page=7, text="word " * 100, source_id="c2")
    make_citation(turn, number=1, title="Returns", url=ADDRESS, text="Thirty.", source_id="c1")
    complete_turn(turn, answer, knowledge="found")
    return turn


def expected_sources(*, cited: set[int]) -> list[dict[str, Any]]:
    return [
        {
            "number": 1,
            "sourceId": "c1",
            "title": "Returns",
            "url": ADDRESS,
            "page": None,
            "quote": "Thirty.",
            "cited": 1 in cited,
        },
        {
            "number": 2,
            "sourceId": "c2",
            "title": "Handbook",
            "url": None,
            "page": 7,
            "quote": "word " * 58 + "word…",
            "cited": 2 in cited,
        },
    ]


def test_messages_have_the_sources_of_their_turn(api: Api, chatbot: Chatbot) -> None:
    turn = make_turn_with_sources(chatbot)
    page = api("GET", f"/conversations/{turn.conversation_id}/messages")
    question, answer = page["messages"]
    assert (question["knowledge"], question["sources"]) == (None, [])
    assert (answer["knowledge"], answer["sources"]) == ("found", expected_sources(cited={2}))


def test_rated_answer_has_its_sources(api: Api, chatbot: Chatbot) -> None:
    turn = make_turn_with_sources(chatbot, "No [1, 2].")
    path = f"/conversations/{turn.conversation_id}/messages/{turn.message_id}/rating"
    for rated in (api("PUT", path, {"rating": "down"}), api("DELETE", path)):
        assert rated["sources"] == expected_sources(cited={1, 2})


def test_receipt_has_sources_and_time_of_the_search(api: Api, chatbot: Chatbot) -> None:
    turn = make_turn_with_sources(chatbot, "No.")
    receipt = api("GET", f"/chatbots/{chatbot.id}/turns/{turn.id}")
    assert (receipt["knowledge"], receipt["timings"]["retrievalMs"]) == ("found", 12)
    assert receipt["sources"] == expected_sources(cited=set())


def test_receipt_of_a_running_turn_has_its_sources(api: Api, chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    Turn.objects.filter(id=turn.id).update(knowledge="found")
    make_citation(turn, title="Returns")
    receipt = api("GET", f"/chatbots/{chatbot.id}/turns/{turn.id}")
    assert [(each["title"], each["cited"]) for each in receipt["sources"]] == [("Returns", False)]


@pytest.mark.parametrize("knowledge", ["", "nothing_found", "unavailable"])
def test_turn_without_sources_has_none(api: Api, chatbot: Chatbot, knowledge: str) -> None:
    turn = make_running_turn(chatbot)
    complete_turn(turn, "Yes [1].", knowledge=knowledge)
    receipt = api("GET", f"/chatbots/{chatbot.id}/turns/{turn.id}")
    _, answer = api("GET", f"/conversations/{turn.conversation_id}/messages")["messages"]
    for shown in (receipt, answer):
        assert (shown["knowledge"], shown["sources"]) == (knowledge or None, [])


def test_sources_cost_a_page_one_query_and_none_without(api: Api, chatbot: Chatbot) -> None:
    plain = make_running_turn(chatbot)
    complete_turn(plain)
    count_queries(api, plain)  # the first request of a key also writes that it was used
    counts = [count_queries(api, plain)]
    for _ in range(2):
        for _ in range(3):
            last = make_turn_with_sources(chatbot, conversation_id=plain.conversation_id)
        counts.append(count_queries(api, last))
    assert counts == [counts[0], counts[0] + 1, counts[0] + 1]


def count_queries(api: Api, turn: Turn) -> int:
    """The queries of a page of the turn's conversation."""
    with CaptureQueriesContext(connection) as captured:
        api("GET", f"/conversations/{turn.conversation_id}/messages")
    return len(captured)
