"""The ceilings of a workspace over several web processes, as its callers see them."""

from __future__ import annotations

from collections import Counter

from tests.conftest import StartWeb
from tests.e2e.database_state import post_concurrently, turn_statuses
from tests.factories import Team
from tests.web_processes import make_caller


def test_running_turns_and_turns_a_minute_are_limited(own_web: StartWeb, live_team: Team) -> None:
    webs = [own_web(MAX_RUNNING_TURNS=3, MAX_TURNS_PER_MINUTE=12) for _ in range(2)]
    caller = make_caller(webs[0], live_team.workspace, "sandbox/slow")
    running = post_concurrently([caller.at(webs[number % 2]) for number in range(10)])
    assert Counter(response.status_code for response in running) == {200: 3, 429: 7}
    others = [make_caller(webs[0], live_team.workspace) for _ in range(2)]
    started = post_concurrently([others[number % 2].at(webs[number % 2]) for number in range(6)])
    assert [response.status_code for response in started].count(429) >= 4
    refusals = {response.json()["error"] for response in (*running, *started) if response.is_error}
    assert refusals == {
        "This workspace runs 3 turns at once, its limit. Try again when one has ended.",
        "This workspace has started 12 turns in a minute, its limit. Please wait.",
    }
    for response in (*running, *started):
        if response.is_error:
            body = response.json()
            assert (body["code"], body["retryAfter"] >= 1) == ("RATE_LIMIT_EXCEEDED", True)
    assert len(turn_statuses(live_team.workspace)) <= 5
