"""Requests with one Idempotency-Key: one turn, one charge and the same response."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.database_state import credit_state, message_texts, post_concurrently, turn_statuses
from tests.factories import Team, make_api_key, make_language_model
from tests.web_processes import Caller, Frame, WebProcess, make_caller

Pair = tuple[WebProcess, WebProcess]


def make_keyed_caller(
    web: WebProcess, team: Team, model: str = "sandbox/echo", *, credits: int = 10, **fields: Any
) -> Caller:
    """A caller with an Idempotency-Key, at 2 credits a reply."""
    priced = make_language_model(model, credits_per_reply=2)
    caller = make_caller(web, team.workspace, priced, credits=credits, **fields)
    caller.headers["Idempotency-Key"] = "order-1"
    return caller


def repeat(caller: Caller, webs: Pair, number: int = 10) -> list[Caller]:
    """The caller this many times, alternating between both processes."""
    return [caller.at(webs[each % 2]) for each in range(number)]


@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/slow"])
def test_10_concurrent_requests_with_one_key_open_one_turn(
    web_pair: Pair, live_team: Team, model: str
) -> None:
    responses = post_concurrently(
        repeat(make_keyed_caller(web_pair[0], live_team, model), web_pair)
    )
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.content for response in responses}) == 1
    assert responses[0].json()["data"]["credits"] == {"charged": 2, "balance": 8}
    assert credit_state(live_team.workspace) == (8, 0, [-2])
    assert turn_statuses(live_team.workspace) == ["completed"]
    assert message_texts(live_team.workspace) == ["Hello", "Echo: Hello"]


@pytest.mark.parametrize(
    "limits", [{"credits": 2}, {"rate_limit_requests": 1}, {"credits": 2, "rate_limit_requests": 1}]
)
def test_10_concurrent_requests_need_credits_for_one_turn(
    web_pair: Pair, live_team: Team, limits: dict[str, int]
) -> None:
    caller = make_keyed_caller(web_pair[0], live_team, "sandbox/slow", **limits)
    responses = post_concurrently(repeat(caller, web_pair))
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.content for response in responses}) == 1
    assert turn_statuses(live_team.workspace) == ["completed"]


def test_10_concurrent_requests_open_one_conversation_turn(web_pair: Pair, live_team: Team) -> None:
    caller = make_keyed_caller(web_pair[0], live_team, "sandbox/slow")
    conversation = caller.post("First").json()["data"]["conversationId"]
    caller.headers["Idempotency-Key"] = "order-2"
    responses = post_concurrently(repeat(caller, web_pair), "Second", conversationId=conversation)
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.content for response in responses}) == 1
    assert credit_state(live_team.workspace) == (6, 0, [-2, -2])
    assert message_texts(live_team.workspace) == ["First", "Echo: First", "Second", "Echo: Second"]


@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/slow"])
def test_10_concurrent_streams_with_one_key_open_one_turn(
    web_pair: Pair, live_team: Team, model: str
) -> None:
    callers = repeat(make_keyed_caller(web_pair[0], live_team, model), web_pair)
    with ThreadPoolExecutor(10) as pool:
        streams = list(pool.map(lambda caller: caller.frames("one two"), callers))
    assert [stream[-1] for stream in streams] == ["[DONE]"] * 10
    events = [[frame for frame in stream if isinstance(frame, Frame)] for stream in streams]
    ends = [frames[-1].data for frames in events]
    assert ends == [ends[0]] * 10
    assert ends[0]["data"]["response"] == "Echo: one two"
    texts = ["".join(frame.data.get("delta", "") for frame in frames) for frames in events]
    assert texts == ["Echo: one two"] * 10
    assert [[frame.id for frame in frames] for frames in events] == [
        list(range(1, len(frames) + 1)) for frames in events
    ]
    assert credit_state(live_team.workspace) == (8, 0, [-2])


def test_key_replays_a_finished_response(web_pair: Pair, live_team: Team) -> None:
    caller = make_keyed_caller(web_pair[0], live_team)
    first = caller.post(metadata={"a": 1, "b": 2})
    caller.headers["Idempotency-Key"] = "order-2"
    caller.post("Something else")
    caller.headers["Idempotency-Key"] = "order-1"
    replays = [caller.at(web).post(metadata={"b": 2, "a": 1}) for web in web_pair]
    assert [replay.content for replay in replays] == [first.content] * 2
    assert credit_state(live_team.workspace) == (6, 0, [-2, -2])


def test_key_replays_a_finished_stream(web_pair: Pair, live_team: Team) -> None:
    caller = make_keyed_caller(web_pair[0], live_team)
    first = caller.frames()
    again = caller.at(web_pair[1]).frames()
    assert [again[0], again[-1]] == [first[0], "[DONE]"]
    ends = [frames[-2] for frames in (first, again)]
    assert isinstance(ends[0], Frame)
    assert isinstance(ends[1], Frame)
    assert ends[0].data == ends[1].data
    assert turn_statuses(live_team.workspace) == ["completed"]


@pytest.mark.parametrize(
    "change",
    [{"message": "Other"}, {"metadata": {"a": 2}}, {"metadata": None}, {"stream": True}],
)
def test_key_with_another_request_is_rejected(
    web_pair: Pair, live_team: Team, change: dict[str, Any]
) -> None:
    caller = make_keyed_caller(web_pair[0], live_team)
    body: dict[str, Any] = {"message": "Hello", "metadata": {"a": 1}, "stream": False}
    assert caller.post(**body).status_code == 200
    refusal = caller.at(web_pair[1]).post(**body | change)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert caller.post(**body).status_code == 200
    assert credit_state(live_team.workspace) == (8, 0, [-2])


def test_concurrent_bodies_with_one_key_open_one_turn(web_pair: Pair, live_team: Team) -> None:
    caller = make_keyed_caller(web_pair[0], live_team, "sandbox/slow")
    callers = repeat(caller, web_pair)
    with ThreadPoolExecutor(10) as pool:
        messages = [f"Message {number % 5}" for number in range(10)]
        responses = list(pool.map(lambda each, text: each.post(text), callers, messages))
    assert Counter(response.status_code for response in responses) == {200: 2, 409: 8}
    assert turn_statuses(live_team.workspace) == ["completed"]


def test_key_with_another_chatbot_is_rejected(web: WebProcess, live_team: Team) -> None:
    caller = make_keyed_caller(web, live_team)
    assert caller.post().status_code == 200
    other = make_caller(web, live_team.workspace)
    other.headers = caller.headers
    assert other.post().json()["code"] == "IDEMPOTENCY_MISMATCH"


def test_same_key_in_two_workspaces_opens_two_turns(web: WebProcess, live_team: Team) -> None:
    ours, theirs = make_keyed_caller(web, live_team), make_caller(web, live_team.other_workspace)
    theirs.headers = ours.headers
    responses = [caller.post(text) for caller, text in ((ours, "Ours"), (theirs, "Theirs"))]
    assert [response.json()["data"]["response"] for response in responses] == [
        "Echo: Ours",
        "Echo: Theirs",
    ]


def test_key_is_shared_by_api_keys_of_a_workspace(web: WebProcess, live_team: Team) -> None:
    caller = make_keyed_caller(web, live_team)
    other = Caller(web, caller.chatbot, make_api_key(live_team.workspace), caller.headers)
    assert other.post().content == caller.post().content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"), [("sandbox/fail-before", 502), ("sandbox/rate-limited", 503)]
)
def test_key_replays_a_failure(
    web_pair: Pair, live_team: Team, model: str, status: int, *, stream: bool
) -> None:
    caller = make_keyed_caller(web_pair[0], live_team, model)
    responses = [caller.at(web).post(stream=stream) for web in (*web_pair, *web_pair)]
    assert [response.status_code for response in responses] == [status] * 4
    assert len({response.content for response in responses}) == 1
    assert credit_state(live_team.workspace) == (10, 0, [])
    assert turn_statuses(live_team.workspace) == ["failed"]


def test_key_replays_a_stream_that_failed_midway(web_pair: Pair, live_team: Team) -> None:
    caller = make_keyed_caller(web_pair[0], live_team, "sandbox/fail-midway")
    for web in web_pair:
        frames = caller.at(web).frames("one two three")
        events = [frame for frame in frames if isinstance(frame, Frame)]
        assert "".join(frame.data.get("delta", "") for frame in events) == "Echo: one"
        assert (events[-1].event, events[-1].data["code"]) == ("error", "MODEL_ERROR")
    assert turn_statuses(live_team.workspace) == ["failed"]


def test_rejected_request_does_not_use_its_key(web: WebProcess, live_team: Team) -> None:
    caller = make_keyed_caller(web, live_team, credits=1)
    assert caller.post("Too dear").json()["code"] == "INSUFFICIENT_CREDITS"
    richer = make_keyed_caller(web, live_team, credits=5)
    assert richer.post("Fine").status_code == 200
