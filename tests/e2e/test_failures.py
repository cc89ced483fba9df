"""Failing models: the error responses, the saved texts, and no charges."""

from __future__ import annotations

import pytest

from apps.conversations.models import Turn
from tests.e2e.database_state import credit_state, message_texts, turn_statuses
from tests.factories import Team, make_language_model
from tests.web_processes import Caller, Frame, WebProcess, make_caller


def make_paying_caller(web: WebProcess, team: Team, model: str) -> Caller:
    priced = make_language_model(f"sandbox/{model}", credits_per_reply=2)
    return make_caller(web, team.workspace, priced, credits=10)


@pytest.mark.parametrize(
    ("model", "status", "code", "retry_after"),
    [
        ("fail-before", 502, "MODEL_ERROR", None),
        ("fail-midway", 502, "MODEL_ERROR", None),
        ("rate-limited", 503, "MODEL_UNAVAILABLE", "10"),
        ("silent", 504, "MODEL_TIMEOUT", None),
    ],
)
def test_failed_turn_is_a_free_json_error(
    web: WebProcess, live_team: Team, model: str, status: int, code: str, retry_after: str | None
) -> None:
    response = make_paying_caller(web, live_team, model).post("one two three")
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers.get("Retry-After") == retry_after
    assert credit_state(live_team.workspace) == (10, 0, [])
    turn = Turn.objects.get(workspace=live_team.workspace)
    assert (turn.status, turn.error_code, turn.credits_charged) == ("failed", code, 0)
    saved = ["Echo: one"] if model == "fail-midway" else []
    assert message_texts(live_team.workspace) == ["one two three", *saved]


@pytest.mark.parametrize(
    ("model", "status", "retry_after"), [("fail-before", 502, None), ("rate-limited", 503, "10")]
)
def test_stream_that_fails_before_its_start_is_free(
    web: WebProcess, live_team: Team, model: str, status: int, retry_after: str | None
) -> None:
    response = make_paying_caller(web, live_team, model).post(stream=True)
    assert (response.status_code, response.headers.get("Retry-After")) == (status, retry_after)
    assert credit_state(live_team.workspace) == (10, 0, [])
    assert turn_statuses(live_team.workspace) == ["failed"]


def test_stream_that_fails_midway_ends_with_an_error_frame(
    web: WebProcess, live_team: Team
) -> None:
    *frames, done = make_paying_caller(web, live_team, "fail-midway").frames("one two three")
    events = [frame for frame in frames if isinstance(frame, Frame)]
    assert [frame.event for frame in events] == [
        "message.start",
        "message.delta",
        "message.delta",
        "error",
    ]
    assert [frame.data["delta"] for frame in events[1:3]] == ["Echo:", " one"]
    assert events[-1].data == {
        "type": "error",
        "success": False,
        "error": "The language model failed to answer. Nothing was charged.",
        "code": "MODEL_ERROR",
    }
    assert done == "[DONE]"
    assert message_texts(live_team.workspace) == ["one two three", "Echo: one"]
    assert credit_state(live_team.workspace) == (10, 0, [])
    assert turn_statuses(live_team.workspace) == ["failed"]


def test_conversation_continues_after_a_failure(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "fail-midway")
    caller.post("one two three")
    conversation = Turn.objects.get(workspace=live_team.workspace).conversation_id
    again = caller.post("four", conversationId=conversation)
    assert (again.status_code, again.json()["code"]) == (502, "MODEL_ERROR")
    assert turn_statuses(live_team.workspace) == ["failed", "failed"]


def test_rest_of_the_hold_is_released_after_a_short_reply(web: WebProcess, live_team: Team) -> None:
    priced = make_language_model(credits_per_1k_output=1000)
    caller = make_caller(web, live_team.workspace, priced, credits=600, max_reply_tokens=500)
    data = caller.post("one two").json()["data"]
    assert data["credits"] == {"charged": 3, "balance": 597}
    assert credit_state(live_team.workspace) == (597, 0, [-3])


def test_turn_whose_max_cost_exceeds_the_balance_is_rejected(
    web: WebProcess, live_team: Team
) -> None:
    priced = make_language_model(credits_per_1k_output=1000)
    caller = make_caller(web, live_team.workspace, priced, credits=499, max_reply_tokens=500)
    assert caller.post("one two").status_code == 402
    assert (credit_state(live_team.workspace), message_texts(live_team.workspace)) == (
        (499, 0, []),
        [],
    )
