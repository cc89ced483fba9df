"""Webhook events of turns."""

from __future__ import annotations

from typing import Any

import pytest

from apps.chatbots.models import Chatbot
from apps.conversations.citations import AnswerSource
from apps.conversations.models import Turn, TurnStatus
from apps.credits.errors import InsufficientCredits
from apps.turns.sweep import sweep_turns
from apps.webhooks.models import Event
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_webhook_endpoint,
)
from tests.turns.turn_factory import complete_turn, expire_heartbeat, fail_turn, make_running_turn


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    """Alice's chatbot, at 2 credits a reply; she has 10 and subscribes to all events."""
    grant_credits(team.workspace, 10)
    make_webhook_endpoint(team.workspace)
    return make_chatbot(team.workspace, make_language_model(credits_per_reply=2))


def events_of(chatbot: Chatbot) -> list[tuple[str, dict[str, Any]]]:
    events = Event.objects.filter(workspace=chatbot.workspace).order_by("created_at", "id")
    return list(events.values_list("type", "data"))


def turn_ids(turn: Turn) -> dict[str, Any]:
    return {
        "chatbotId": turn.chatbot_id,
        "conversationId": turn.conversation_id,
        "turnId": turn.id,
    }


def test_event_is_sent_for_new_conversations_only(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    fail_turn(turn)
    make_running_turn(chatbot, conversation_id=turn.conversation_id)
    assert events_of(chatbot) == [
        ("conversation.started", turn_ids(turn)),
        ("turn.failed", turn_ids(turn) | {"code": "MODEL_ERROR"}),
    ]


def test_answer_event_has_usage_and_price(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=2)
    complete_turn(turn, "Zoë says hi", input_tokens=5, output_tokens=3)
    answer = {
        "messageId": turn.message_id,
        "response": "Zoë says hi",
        "finishReason": "stop",
        "usage": {"inputTokens": 5, "outputTokens": 3},
        "credits": {"charged": 2},
    }
    assert events_of(chatbot)[1:] == [("message.completed", turn_ids(turn) | answer)]


def test_answer_event_has_the_sources_of_a_turn_with_knowledge(chatbot: Chatbot) -> None:
    page = AnswerSource(1, "page", "Returns", "https://acme.example/returns", None, "Thirty days.")
    file = AnswerSource(2, "file", "Handbook", "", 7, "Keep it.")
    turn = make_running_turn(chatbot)
    complete_turn(turn, "Keep it [2].", knowledge="found", sources=(page, file))
    unknown = make_running_turn(chatbot)
    complete_turn(unknown, "Hm.", knowledge="nothing_found")
    found, nothing = [data for name, data in events_of(chatbot) if name == "message.completed"]
    assert found["knowledge"] == "found"
    assert found["sources"] == [page.data() | {"cited": False}, file.data() | {"cited": True}]
    assert (nothing["knowledge"], nothing["sources"]) == ("nothing_found", [])


@pytest.mark.parametrize(("text", "events"), [("Zo", ["message.completed"]), ("", [])])
def test_stopped_turn_sends_an_event_if_it_has_text(
    chatbot: Chatbot, text: str, events: list[str]
) -> None:
    complete_turn(
        make_running_turn(chatbot), text, status=TurnStatus.STOPPED, finish_reason="stopped"
    )
    assert [name for name, _ in events_of(chatbot)[1:]] == events


def test_abandoned_turn_sends_a_failure_event(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    expire_heartbeat(turn)
    sweep_turns()
    assert events_of(chatbot)[1:] == [("turn.failed", turn_ids(turn) | {"code": "TURN_ABANDONED"})]


def test_refused_turn_sends_no_event(chatbot: Chatbot) -> None:
    with pytest.raises(InsufficientCredits):
        make_running_turn(chatbot, credits=11)
    assert events_of(chatbot) == []
