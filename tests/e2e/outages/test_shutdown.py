"""A process that gets SIGTERM completes its turns and rejects new ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller

WORDS = " ".join(f"word{number}" for number in range(20))


def last_lines(caller: Caller) -> list[str]:
    """Read a complete stream; returns its last event and its closing line."""
    with caller.stream(WORDS) as response:
        lines = [line for line in response.iter_lines() if line]
    return [lines[-3], lines[-1]]


def read_readiness(web: WebProcess) -> tuple[int, dict[str, Any]]:
    response = httpx.get(f"{web.url}/readyz", verify=SSL_CONTEXT)
    return response.status_code, response.json()


def test_stopping_process_completes_streams_and_rejects_turns(
    own_web: StartWeb, live_team: Team
) -> None:
    web = own_web()
    model = make_language_model("sandbox/slow", credits_per_reply=1)
    caller = make_caller(web, live_team.workspace, model, credits=10)
    with caller.stream(WORDS) as response:  # this caller disconnects
        assert any('"delta"' in line for line in response.iter_lines())
    with ThreadPoolExecutor(3) as pool:
        streams = [pool.submit(last_lines, caller) for _ in range(3)]
        wait_until(lambda: turn_statuses(live_team.workspace) == ["running"] * 4)
        web.terminate()
        wait_until(lambda: read_readiness(web)[0] == 503)
        checks = {"database": "ok", "migrations": "ok", "redis": "ok", "process": "stopping"}
        assert read_readiness(web) == (503, {"status": "unavailable", "checks": checks})
        for response in (caller.post(), caller.post(stream=True)):
            assert (response.status_code, response.json()["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert int(response.headers["Retry-After"]) >= 1
            assert response.headers["X-RateLimit-Limit"] == "60"
        assert httpx.get(f"{web.url}/healthz", verify=SSL_CONTEXT).status_code == 200
        ends = [stream.result() for stream in streams]
    assert ends == [["event: message.end", "data: [DONE]"]] * 3
    assert web.process.wait(timeout=30) == 0
    assert turn_statuses(live_team.workspace) == ["completed"] * 4
    assert credit_state(live_team.workspace) == (6, 0, [-1] * 4)
