"""What a workspace is told of its turns."""

from __future__ import annotations

from typing import Any

import pytest

from apps.chatbots.models import Chatbot
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
    """Alice's chatbot, at 2 credits a reply; she has 10 and is told of everything."""
    grant_credits(team.workspace, 10)
    make_webhook_endpoint(team.workspace)
    return make_chatbot(team.workspace, make_language_model(credits_per_reply=2))


def told(chatbot: Chatbot) -> list[tuple[str, dict[str, Any]]]:
    found = Event.objects.filter(workspace=chatbot.workspace).order_by("created_at", "id")
    return list(found.values_list("type", "data"))


def place(turn: Turn) -> dict[str, Any]:
    return {
        "chatbotId": turn.chatbot_id,
        "conversationId": turn.conversation_id,
        "turnId": turn.id,
    }


def test_new_conversation_is_told_and_an_old_one_is_not(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    fail_turn(turn)
    make_running_turn(chatbot, conversation_id=turn.conversation_id)
    assert told(chatbot) == [
        ("conversation.started", place(turn)),
        ("turn.failed", place(turn) | {"code": "MODEL_ERROR"}),
    ]


def test_answer_is_told_with_its_usage_and_price(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot, credits=2)
    complete_turn(turn, "Zoë says hi", input_tokens=5, output_tokens=3)
    answer = {
        "messageId": turn.message_id,
        "response": "Zoë says hi",
        "finishReason": "stop",
        "usage": {"inputTokens": 5, "outputTokens": 3},
        "credits": {"charged": 2},
    }
    assert told(chatbot)[1:] == [("message.completed", place(turn) | answer)]


@pytest.mark.parametrize(("text", "events"), [("Zo", ["message.completed"]), ("", [])])
def test_stopped_answer_is_told_if_there_is_one(
    chatbot: Chatbot, text: str, events: list[str]
) -> None:
    complete_turn(
        make_running_turn(chatbot), text, status=TurnStatus.STOPPED, finish_reason="stopped"
    )
    assert [name for name, _ in told(chatbot)[1:]] == events


def test_turn_whose_process_died_is_told_as_failed(chatbot: Chatbot) -> None:
    turn = make_running_turn(chatbot)
    expire_heartbeat(turn)
    sweep_turns()
    assert told(chatbot)[1:] == [("turn.failed", place(turn) | {"code": "TURN_ABANDONED"})]


def test_turn_that_did_not_open_is_not_told(chatbot: Chatbot) -> None:
    with pytest.raises(InsufficientCredits):
        make_running_turn(chatbot, credits=11)
    assert told(chatbot) == []
