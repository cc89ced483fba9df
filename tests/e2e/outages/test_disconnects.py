"""Turns survive callers that disconnect and web processes that die."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command

from apps.conversations.models import Message, Turn
from tests.conftest import StartWeb
from tests.e2e.database_state import credit_state, message_texts, turn_statuses, wait_until
from tests.factories import Team, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, WebProcess, make_caller, start_worker

WORDS = " ".join(f"word{number}" for number in range(6))
LONG = " ".join(f"word{number}" for number in range(100))


def make_paying_caller(web: WebProcess, team: Team) -> Caller:
    model = make_language_model("sandbox/slow", credits_per_reply=2)
    return make_caller(web, team.workspace, model, credits=10)


def read_first_delta(response: httpx.Response) -> Iterator[str]:
    """Read up to the first delta; returns the remaining lines."""
    lines = response.iter_lines()
    assert any('"delta"' in line for line in lines)
    return lines


@pytest.mark.parametrize("when", ["mid-stream", "before the first token"])
def test_turn_completes_after_the_caller_disconnects(
    web: WebProcess, live_team: Team, when: str
) -> None:
    caller = make_paying_caller(web, live_team)
    with caller.stream(WORDS) as response:
        if when == "mid-stream":
            read_first_delta(response)
    wait_until(lambda: turn_statuses(live_team.workspace) == ["completed"])
    assert message_texts(live_team.workspace) == [WORDS, f"Echo: {WORDS}"]
    assert credit_state(live_team.workspace) == (8, 0, [-2])


def test_turn_completes_after_a_json_request_times_out(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team)
    body = {"message": WORDS}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            caller.url, json=body, headers=caller.all_headers, timeout=0.3, verify=SSL_CONTEXT
        )
    wait_until(lambda: turn_statuses(live_team.workspace) == ["completed"])
    assert message_texts(live_team.workspace) == [WORDS, f"Echo: {WORDS}"]
    assert credit_state(live_team.workspace) == (8, 0, [-2])


def test_answer_is_replayed_by_its_key_after_a_disconnect(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team)
    caller.headers["Idempotency-Key"] = "one"
    with caller.stream(WORDS) as response:
        read_first_delta(response)
    end = caller.frames(WORDS)[-2]
    assert not isinstance(end, str)
    assert end.data["data"]["response"] == f"Echo: {WORDS}"
    assert credit_state(live_team.workspace) == (8, 0, [-2])


@contextmanager
def killed_midway(web: WebProcess, team: Team) -> Iterator[tuple[Caller, Turn]]:
    """Start a turn and kill its process after some of the text is saved."""
    caller = make_paying_caller(web, team)
    with caller.stream(LONG) as response:
        read_first_delta(response)
        running = Turn.objects.filter(workspace=team.workspace)
        wait_until(lambda: running.exclude(text_so_far="").exists())
        web.kill()
        turn = running.get()
        yield caller, turn


def sweep() -> list[str]:
    """Run the management command; returns the ids of the turns that it settled."""
    output = StringIO()
    call_command("sweep_turns", "--json", stdout=output)
    found: list[str] = json.loads(output.getvalue())["turns"]
    return found


def test_sweep_settles_the_turn_of_a_killed_process(
    web: WebProcess, own_web: StartWeb, live_team: Team
) -> None:
    with killed_midway(own_web(), live_team) as (caller, turn):
        assert credit_state(live_team.workspace) == (10, 2, [])
        again = caller.at(web)
        refusal = again.post("Hello?", conversationId=turn.conversation_id)
        assert refusal.json()["code"] == "CONVERSATION_BUSY"
        wait_until(lambda: turn.id in sweep())
    settled = Turn.objects.get(id=turn.id)
    assert (settled.status, settled.error_code) == ("abandoned", "TURN_ABANDONED")
    assert Message.objects.get(id=turn.message_id).text == turn.text_so_far
    assert f"Echo: {LONG}".startswith(turn.text_so_far)
    assert credit_state(live_team.workspace) == (8, 0, [-2])
    assert again.post("Hello?", conversationId=turn.conversation_id).status_code == 200
    assert credit_state(live_team.workspace) == (6, 0, [-2, -2])
    assert turn.id not in sweep()


def test_worker_settles_the_turn_of_a_killed_process(
    own_web: StartWeb, live_team: Team, tmp_path: Path
) -> None:
    with start_worker(tmp_path), killed_midway(own_web(), live_team) as (_, turn):
        wait_until(lambda: turn_statuses(live_team.workspace) == ["abandoned"], seconds=60)
    assert credit_state(live_team.workspace) == (8, 0, [-2])
    assert message_texts(live_team.workspace) == [LONG, turn.text_so_far]
    log = (tmp_path / "worker.log").read_text()
    assert [turn.id in line for line in log.splitlines() if "turn_abandoned" in line] == [True]


def test_sweep_skips_running_turns(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team)
    with caller.stream(" ".join(["word"] * 25)) as response:
        end: dict[str, Any] = {}
        for line in read_first_delta(response):
            turn_ids = sweep()
            assert not Turn.objects.filter(workspace=live_team.workspace, id__in=turn_ids).exists()
            if line.startswith('data: {"type":"message.end"'):
                end = json.loads(line.removeprefix("data: "))
    assert end["data"]["credits"] == {"charged": 2, "balance": 8}
