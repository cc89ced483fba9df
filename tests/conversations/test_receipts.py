"""The receipt of a turn in every status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn, TurnStatus
from apps.turns.settle import settle_turn_blocking
from apps.turns.sweep import sweep_turns
from apps.turns.types import Settlement
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot
from tests.turns.turn_factory import expire_heartbeat, make_running_turn

UNKNOWN = {"inputTokens": None, "outputTokens": None}


def settled(turn: Turn, status: TurnStatus, **fields: Any) -> None:
    settle_turn_blocking(turn=turn, settlement=Settlement(status=status, **fields))


def complete(turn: Turn) -> None:
    used = {"input_tokens": 3, "output_tokens": 5}
    settled(turn, TurnStatus.COMPLETED, text="Hi", finish_reason="stop", **used)


def fail(turn: Turn) -> None:
    used = {"input_tokens": 3, "output_tokens": 0}
    settled(turn, TurnStatus.FAILED, finish_reason="error", error_code="MODEL_ERROR", **used)


def abandon(turn: Turn) -> None:
    expire_heartbeat(turn)
    assert turn.id in sweep_turns()


def abandon_midway(turn: Turn) -> None:
    Turn.objects.filter(id=turn.id).update(text_so_far="Hi th")
    abandon(turn)


@pytest.mark.parametrize(
    ("end", "status", "finish_reason", "code", "usage"),
    [
        (lambda turn: None, "running", None, None, UNKNOWN),
        (complete, "completed", "stop", None, {"inputTokens": 3, "outputTokens": 5}),
        (fail, "failed", "error", "MODEL_ERROR", {"inputTokens": 3, "outputTokens": 0}),
        (abandon, "abandoned", None, "TURN_ABANDONED", UNKNOWN),
        (abandon_midway, "abandoned", "abandoned", "TURN_ABANDONED", UNKNOWN),
    ],
)
def test_receipt_shows_status_usage_and_credits(
    team: Team,
    end: Callable[[Turn], None],
    status: str,
    finish_reason: str | None,
    code: str | None,
    usage: dict[str, int | None],
) -> None:
    chatbot: Chatbot = make_chatbot(team.workspace)
    turn = make_running_turn(chatbot)
    end(turn)
    receipt = Api(team.workspace)("GET", f"/chatbots/{chatbot.id}/turns/{turn.id}")
    shown = {name: receipt[name] for name in ("status", "finishReason", "code", "usage")}
    assert shown == {"status": status, "finishReason": finish_reason, "code": code, "usage": usage}
    assert (receipt["settledAt"] is None) is (status == "running")
