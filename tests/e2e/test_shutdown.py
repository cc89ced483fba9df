"""A deploy: the process is asked to stop while it streams."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

WORDS = " ".join(f"word{number}" for number in range(20))


def last_lines(caller: Caller) -> list[str]:
    """The last event and the closing line of a whole stream."""
    with caller.stream(WORDS) as response:
        lines = [line for line in response.iter_lines() if line]
    return [lines[-3], lines[-1]]


def is_stopping(web: WebProcess) -> bool:
    return httpx.get(f"{web.url}/readyz", verify=SSL_CONTEXT).status_code == 503


def test_stopping_process_ends_its_streams_and_takes_no_more(
    own_web: StartWeb, live_team: Team
) -> None:
    web = own_web()
    model = make_language_model("sandbox/slow", credits_per_reply=1)
    caller = make_caller(web, live_team.workspace, model, credits=10)
    with caller.stream(WORDS) as response:  # one caller leaves
        assert any('"delta"' in line for line in response.iter_lines())
    with ThreadPoolExecutor(3) as pool:
        streams = [pool.submit(last_lines, caller) for _ in range(3)]
        wait_until(lambda: turn_statuses(live_team.workspace) == ["running"] * 4)
        web.terminate()
        wait_until(lambda: is_stopping(web))
        for refusal in (caller.post(), caller.post(stream=True)):
            assert (refusal.status_code, refusal.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert int(refusal.headers["Retry-After"]) >= 1
            assert refusal.headers["X-RateLimit-Limit"] == "60"
        assert httpx.get(f"{web.url}/healthz", verify=SSL_CONTEXT).status_code == 200
        ends = [stream.result() for stream in streams]
    assert ends == [["event: message.end", "data: [DONE]"]] * 3
    assert web.process.wait(timeout=30) == 0
    assert turn_statuses(live_team.workspace) == ["completed"] * 4
    assert credit_state(live_team.workspace) == (6, 0, [-1] * 4)
