"""One Idempotency-Key: one turn, one charge, and the same answer however often it is asked."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.database_state import credit_state, message_texts, post_concurrently, turn_statuses
from tests.factories import Team, make_api_key, make_language_model
from tests.web_processes import Caller, Frame, WebProcess, make_caller

Pair = tuple[WebProcess, WebProcess]


def keyed(
    web: WebProcess, team: Team, model: str = "sandbox/echo", *, credits: int = 10, **fields: Any
) -> Caller:
    """A caller with one Idempotency-Key, at 2 credits a reply."""
    priced = make_language_model(model, credits_per_reply=2)
    caller = make_caller(web, team.workspace, priced, credits=credits, **fields)
    caller.headers["Idempotency-Key"] = "order-1"
    return caller


def spread(caller: Caller, webs: Pair, number: int = 10) -> list[Caller]:
    """The caller this many times, by turns at both processes."""
    return [caller.at(webs[each % 2]) for each in range(number)]


@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/slow"])
def test_key_sent_10_times_at_once_is_one_turn(web_pair: Pair, live_team: Team, model: str) -> None:
    responses = post_concurrently(spread(keyed(web_pair[0], live_team, model), web_pair))
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.content for response in responses}) == 1
    assert responses[0].json()["data"]["credits"] == {"charged": 2, "balance": 8}
    assert credit_state(live_team.workspace) == (8, 0, [-2])
    assert turn_statuses(live_team.workspace) == ["completed"]
    assert message_texts(live_team.workspace) == ["Hello", "Echo: Hello"]


@pytest.mark.parametrize(
    "limits", [{"credits": 2}, {"rate_limit_requests": 1}, {"credits": 2, "rate_limit_requests": 1}]
)
def test_key_sent_10_times_at_once_needs_the_means_of_one_turn(
    web_pair: Pair, live_team: Team, limits: dict[str, int]
) -> None:
    caller = keyed(web_pair[0], live_team, "sandbox/slow", **limits)
    responses = post_concurrently(spread(caller, web_pair))
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.content for response in responses}) == 1
    assert turn_statuses(live_team.workspace) == ["completed"]


def test_key_sent_10_times_at_once_is_one_turn_of_its_conversation(
    web_pair: Pair, live_team: Team
) -> None:
    caller = keyed(web_pair[0], live_team, "sandbox/slow")
    conversation = caller.post("First").json()["data"]["conversationId"]
    caller.headers["Idempotency-Key"] = "order-2"
    responses = post_concurrently(spread(caller, web_pair), "Second", conversationId=conversation)
    assert [response.status_code for response in responses] == [200] * 10
    assert len({response.content for response in responses}) == 1
    assert credit_state(live_team.workspace) == (6, 0, [-2, -2])
    assert message_texts(live_team.workspace) == ["First", "Echo: First", "Second", "Echo: Second"]


@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/slow"])
def test_key_sent_10_times_at_once_is_one_turn_of_ten_streams(
    web_pair: Pair, live_team: Team, model: str
) -> None:
    callers = spread(keyed(web_pair[0], live_team, model), web_pair)
    with ThreadPoolExecutor(10) as pool:
        streams = list(pool.map(lambda caller: caller.frames("one two"), callers))
    assert [stream[-1] for stream in streams] == ["[DONE]"] * 10
    told = [[frame for frame in stream if isinstance(frame, Frame)] for stream in streams]
    ends = [frames[-1].data for frames in told]
    assert ends == [ends[0]] * 10
    assert ends[0]["data"]["response"] == "Echo: one two"
    written = ["".join(frame.data.get("delta", "") for frame in frames) for frames in told]
    assert written == ["Echo: one two"] * 10
    assert [[frame.id for frame in frames] for frames in told] == [
        list(range(1, len(frames) + 1)) for frames in told
    ]
    assert credit_state(live_team.workspace) == (8, 0, [-2])


def test_key_replays_the_answer_after_the_end(web_pair: Pair, live_team: Team) -> None:
    caller = keyed(web_pair[0], live_team)
    first = caller.post(metadata={"a": 1, "b": 2})
    caller.headers["Idempotency-Key"] = "order-2"
    caller.post("Something else")
    caller.headers["Idempotency-Key"] = "order-1"
    replays = [caller.at(web).post(metadata={"b": 2, "a": 1}) for web in web_pair]
    assert [replay.content for replay in replays] == [first.content] * 2
    assert credit_state(live_team.workspace) == (6, 0, [-2, -2])


def test_key_replays_a_stream_after_the_end(web_pair: Pair, live_team: Team) -> None:
    caller = keyed(web_pair[0], live_team)
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
def test_key_of_another_request_is_refused(
    web_pair: Pair, live_team: Team, change: dict[str, Any]
) -> None:
    caller = keyed(web_pair[0], live_team)
    body: dict[str, Any] = {"message": "Hello", "metadata": {"a": 1}, "stream": False}
    assert caller.post(**body).status_code == 200
    refusal = caller.at(web_pair[1]).post(**body | change)
    assert (refusal.status_code, refusal.json()["code"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert caller.post(**body).status_code == 200
    assert credit_state(live_team.workspace) == (8, 0, [-2])


def test_key_used_with_two_bodies_at_once_is_one_turn(web_pair: Pair, live_team: Team) -> None:
    caller = keyed(web_pair[0], live_team, "sandbox/slow")
    callers = spread(caller, web_pair)
    with ThreadPoolExecutor(10) as pool:
        messages = [f"Message {number % 5}" for number in range(10)]
        responses = list(pool.map(lambda each, text: each.post(text), callers, messages))
    assert Counter(response.status_code for response in responses) == {200: 2, 409: 8}
    assert turn_statuses(live_team.workspace) == ["completed"]


def test_key_of_another_chatbot_is_refused(web: WebProcess, live_team: Team) -> None:
    caller = keyed(web, live_team)
    assert caller.post().status_code == 200
    other = make_caller(web, live_team.workspace)
    other.headers = caller.headers
    assert other.post().json()["code"] == "IDEMPOTENCY_MISMATCH"


def test_key_of_another_workspace_is_another_key(web: WebProcess, live_team: Team) -> None:
    ours, theirs = keyed(web, live_team), make_caller(web, live_team.other_workspace)
    theirs.headers = ours.headers
    answers = [caller.post(text) for caller, text in ((ours, "Ours"), (theirs, "Theirs"))]
    assert [answer.json()["data"]["response"] for answer in answers] == [
        "Echo: Ours",
        "Echo: Theirs",
    ]


def test_key_is_the_workspaces_whichever_api_key_sends_it(web: WebProcess, live_team: Team) -> None:
    caller = keyed(web, live_team)
    other = Caller(web, caller.chatbot, make_api_key(live_team.workspace), caller.headers)
    assert other.post().content == caller.post().content


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "status"), [("sandbox/fail-before", 502), ("sandbox/rate-limited", 503)]
)
def test_key_replays_a_failure(
    web_pair: Pair, live_team: Team, model: str, status: int, *, stream: bool
) -> None:
    caller = keyed(web_pair[0], live_team, model)
    responses = [caller.at(web).post(stream=stream) for web in (*web_pair, *web_pair)]
    assert [response.status_code for response in responses] == [status] * 4
    assert len({response.content for response in responses}) == 1
    assert credit_state(live_team.workspace) == (10, 0, [])
    assert turn_statuses(live_team.workspace) == ["failed"]


def test_key_replays_a_stream_that_failed_midway(web_pair: Pair, live_team: Team) -> None:
    caller = keyed(web_pair[0], live_team, "sandbox/fail-midway")
    for web in web_pair:
        frames = caller.at(web).frames("one two three")
        told = [frame for frame in frames if isinstance(frame, Frame)]
        assert "".join(frame.data.get("delta", "") for frame in told) == "Echo: one"
        assert (told[-1].event, told[-1].data["code"]) == ("error", "MODEL_ERROR")
    assert turn_statuses(live_team.workspace) == ["failed"]


def test_refused_request_leaves_its_key_free(web: WebProcess, live_team: Team) -> None:
    caller = keyed(web, live_team, credits=1)
    assert caller.post("Too dear").json()["code"] == "INSUFFICIENT_CREDITS"
    richer = keyed(web, live_team, credits=5)
    assert richer.post("Fine").status_code == 200
