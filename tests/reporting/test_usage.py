"""The usage endpoint: turns by day, chatbot, language model and API key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.api_keys.services import issue_key
from apps.chatbots.models import Chatbot
from apps.conversations.models import Turn
from tests.api_kit.rest_client import Api
from tests.factories import Team, grant_credits, make_chatbot, make_language_model
from tests.turns.turn_factory import complete_turn, fail_turn, make_running_turn

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def api(team: Team) -> Api:
    return Api(team.workspace, "read")


def make_turn(chatbot: Chatbot, *, days_ago: float = 0, **fields: Any) -> Turn:
    """A turn of 3 credits, 10 tokens in and 20 out."""
    turn = make_running_turn(chatbot, credits=5, **fields)
    complete_turn(turn, input_tokens=10, output_tokens=20)
    began = NOON - timedelta(days=days_ago)
    Turn.objects.filter(pk=turn.pk).update(created_at=began)
    return turn


@pytest.fixture
def activity(team: Team) -> dict[str, Any]:
    """Two chatbots, two models, one key, and turns of three days; one of the turns failed."""
    grant_credits(team.workspace, 100)
    first = make_chatbot(team.workspace, make_language_model(credits_per_reply=3), name="First")
    second = make_chatbot(team.workspace, make_language_model(credits_per_reply=3), name="Second")
    key, _ = issue_key(workspace=team.workspace, name="Shop", scopes=["chat"])
    make_turn(first)
    make_turn(first, days_ago=2.5, api_key_id=key.id)
    make_turn(second, days_ago=2, api_key_id=key.id)
    make_turn(first, days_ago=3)
    broken = make_running_turn(second, credits=5)
    fail_turn(broken)
    Turn.objects.filter(pk=broken.pk).update(created_at=NOON)
    grant_credits(team.other_workspace, 10)
    make_turn(make_chatbot(team.other_workspace, make_language_model(credits_per_reply=3)))
    return {"first": first, "second": second, "key": key}


def figures(turns: int, answered: int) -> dict[str, int]:
    return {
        "turns": turns,
        "credits": 3 * answered,
        "inputTokens": 10 * answered,
        "outputTokens": 20 * answered,
    }


def test_days_are_in_order_and_complete(api: Api, activity: dict[str, Any]) -> None:
    data = api("GET", "/credits/usage", until="2026-03-10", days=3)
    assert data == {
        "since": "2026-03-08",
        "until": "2026-03-10",
        "groupBy": "day",
        "total": figures(4, 3),
        "usage": [
            {"group": "2026-03-08", "name": None, **figures(2, 2)},
            {"group": "2026-03-09", "name": None, **figures(0, 0)},
            {"group": "2026-03-10", "name": None, **figures(2, 1)},
        ],
    }


def test_groups_are_named_and_ordered_by_credits(api: Api, activity: dict[str, Any]) -> None:
    def groups(by: str) -> list[dict[str, Any]]:
        data = api("GET", "/credits/usage", until="2026-03-10", groupBy=by)
        assert data["total"] == figures(5, 4)
        usage: list[dict[str, Any]] = data["usage"]
        return usage

    first, second, key = activity["first"], activity["second"], activity["key"]
    assert groups("chatbot") == [
        {"group": first.id, "name": "First", **figures(3, 3)},
        {"group": second.id, "name": "Second", **figures(2, 1)},
    ]
    assert groups("languageModel") == [
        {"group": first.language_model.name, "name": None, **figures(3, 3)},
        {"group": second.language_model.name, "name": None, **figures(2, 1)},
    ]
    assert groups("apiKey") == [
        {"group": None, "name": None, **figures(3, 2)},
        {"group": key.id, "name": "Shop", **figures(2, 2)},
    ]


def test_last_day_defaults_to_today(api: Api, team: Team) -> None:
    grant_credits(team.workspace, 5)
    complete_turn(
        make_running_turn(
            make_chatbot(team.workspace, make_language_model(credits_per_reply=3)), credits=5
        )
    )
    data = api("GET", "/credits/usage")
    assert (len(data["usage"]), data["usage"][-1]["turns"]) == (30, 1)
    assert data["until"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize("until", ["0001-01-01", "9999-12-31"])
def test_first_and_last_calendar_dates_are_accepted(api: Api, until: str) -> None:
    data = api("GET", "/credits/usage", until=until, days=2)
    assert (data["until"], data["total"]) == (until, figures(0, 0))


@pytest.mark.parametrize(
    ("name", "value"), [("days", "93"), ("days", "0"), ("until", "0"), ("groupBy", "user")]
)
def test_invalid_parameter_is_rejected(api: Api, name: str, value: str) -> None:
    query: dict[str, Any] = {name: value}
    refused = api("GET", "/credits/usage", status=400, **query)
    assert (refused["code"], list(refused["details"])) == ("VALIDATION_ERROR", [name])
