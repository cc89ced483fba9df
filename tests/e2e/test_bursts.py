"""Concurrent requests over two web processes never exceed credits or limits."""

from __future__ import annotations

from collections import Counter

from tests.e2e.database_state import credit_state, message_texts, post_concurrently, turn_statuses
from tests.factories import Team, make_language_model
from tests.web_processes import WebProcess, make_caller

Pair = tuple[WebProcess, WebProcess]


def test_50_requests_on_1_credit_get_1_answer(web_pair: Pair, live_team: Team) -> None:
    model = make_language_model(credits_per_reply=1)
    caller = make_caller(web_pair[0], live_team.workspace, model, credits=1)
    responses = post_concurrently([caller.at(web_pair[number % 2]) for number in range(50)])
    assert Counter(response.status_code for response in responses) == {200: 1, 402: 49}
    assert {response.json().get("code") for response in responses} == {None, "INSUFFICIENT_CREDITS"}
    assert credit_state(live_team.workspace) == (0, 0, [-1])
    assert turn_statuses(live_team.workspace) == ["completed"]
    assert message_texts(live_team.workspace) == ["Hello", "Echo: Hello"]


def test_parallel_holds_never_exceed_the_balance(web_pair: Pair, live_team: Team) -> None:
    model = make_language_model("sandbox/slow", credits_per_reply=3)
    caller = make_caller(web_pair[0], live_team.workspace, model, credits=10)
    responses = post_concurrently([caller.at(web_pair[number % 2]) for number in range(20)])
    assert Counter(response.status_code for response in responses) == {200: 3, 402: 17}
    assert credit_state(live_team.workspace) == (1, 0, [-3, -3, -3])


def test_200_requests_on_a_limit_of_20_admit_20(web_pair: Pair, live_team: Team) -> None:
    caller = make_caller(web_pair[0], live_team.workspace, rate_limit_requests=20)
    responses = post_concurrently([caller.at(web_pair[number % 2]) for number in range(200)])
    assert Counter(response.status_code for response in responses) == {200: 20, 429: 180}
    admitted = [r.headers["X-RateLimit-Remaining"] for r in responses if r.status_code == 200]
    rejected = [response.json() for response in responses if response.status_code == 429]
    assert sorted(map(int, admitted)) == list(range(20))
    assert min(body["retryAfter"] for body in rejected) >= 1
    assert turn_statuses(live_team.workspace) == ["completed"] * 20


def test_conversation_runs_one_turn_at_a_time(web_pair: Pair, live_team: Team) -> None:
    caller = make_caller(web_pair[0], live_team.workspace, "sandbox/slow")
    conversation = caller.post("Hello").json()["data"]["conversationId"]
    callers = [caller.at(web_pair[number % 2]) for number in range(10)]
    responses = post_concurrently(callers, conversationId=conversation)
    assert Counter(response.status_code for response in responses) == {200: 1, 409: 9}
    assert {response.json().get("code") for response in responses} == {None, "CONVERSATION_BUSY"}
    assert turn_statuses(live_team.workspace) == ["completed"] * 2
    assert caller.post("Again", conversationId=conversation).status_code == 200


def test_rejected_turns_of_a_busy_conversation_are_free(web_pair: Pair, live_team: Team) -> None:
    model = make_language_model("sandbox/slow", credits_per_reply=2)
    caller = make_caller(web_pair[0], live_team.workspace, model, credits=10)
    message = " ".join(f"word{number}" for number in range(40))
    with caller.stream(message) as response:
        lines = response.iter_lines()
        assert next(lines) == "id: 1"
        conversation = parse_conversation_id(
            next(line for line in lines if "conversationId" in line)
        )
        for web in web_pair:
            refusal = caller.at(web).post("Me too", conversationId=conversation)
            assert (refusal.status_code, refusal.json()["code"]) == (409, "CONVERSATION_BUSY")
        assert [line for line in lines if line][-1] == "data: [DONE]"
    assert credit_state(live_team.workspace) == (8, 0, [-2])
    assert message_texts(live_team.workspace) == [message, f"Echo: {message}"]


def parse_conversation_id(line: str) -> str:
    """The conversation id in a `message.start` frame."""
    return line.partition('"conversationId":"')[2].partition('"')[0]
