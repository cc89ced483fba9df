"""A process that gets SIGTERM completes its turns and rejects new ones."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, Frame, WebProcess, make_caller, parse_frames

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


def test_stopping_process_interrupts_followers_of_other_processes(
    own_web: StartWeb, web: WebProcess, live_team: Team
) -> None:
    """They go on in another process, after the last number that they have."""
    stopping = own_web()
    caller = make_caller(web, live_team.workspace, "sandbox/slow")
    words = " ".join(f"word{number}" for number in range(80))
    with caller.stream(words) as response:
        lines = response.iter_lines()
        start = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
        url = f"{caller.at(stopping).url.removesuffix('/chat')}/turns/{start['turnId']}/stream"
        with httpx.stream(
            "GET", url, headers=caller.all_headers, timeout=30, verify=SSL_CONTEXT
        ) as following:
            told = following.iter_lines()
            assert next(told) == "id: 1"
            stopping.terminate()
            text = "id: 1\n" + "\n".join(told)
        assert stopping.process.wait(timeout=30) == 0
        assert turn_statuses(live_team.workspace) == ["running"]
    *_, last, done = parse_frames(text)
    assert isinstance(last, Frame)
    assert (last.id, last.event, last.data["code"]) == (None, "error", "SERVICE_UNAVAILABLE")
    assert done == "[DONE]"
