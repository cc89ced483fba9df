"""Turns that run in one web process, followed and stopped through another."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from apps.chatbots.models import Chatbot
from apps.conversations.models import Message, Turn
from tests.conftest import StartWeb
from tests.factories import Team, grant_credits, make_api_key, make_chatbot, make_language_model
from tests.web_processes import SSL_CONTEXT, Caller, Frame, WebProcess, make_caller, parse_frames

Pair = tuple[WebProcess, WebProcess]


def start_turn(caller: Caller, message: str = "Hello") -> tuple[str, httpx.Response]:
    """Start a streamed turn and disconnect; returns its id."""
    turn_id = ""
    with caller.stream(message) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                turn_id = Turn.objects.get(request_id=response.headers["X-Request-Id"]).id
                break
    return turn_id, response


def resume(caller: Caller, web: WebProcess, turn_id: str, after: int) -> list[Frame | str]:
    """Read the rest of a turn from this web process."""
    url = f"{web.url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream"
    headers = {**caller.all_headers, "Last-Event-ID": str(after)}
    response = httpx.get(url, headers=headers, timeout=30, verify=SSL_CONTEXT)
    assert response.status_code == 200, response.text
    return parse_frames(response.text)


def chatbot_id(caller: Caller) -> str:
    return caller.chatbot.id if isinstance(caller.chatbot, Chatbot) else caller.chatbot


def text_of(frames: list[Frame | str]) -> str:
    return "".join(f.data["delta"] for f in frames if isinstance(f, Frame) and "delta" in f.data)


def ids_of(frames: list[Frame | str]) -> list[int | None]:
    return [frame.id for frame in frames if isinstance(frame, Frame)]


@pytest.fixture
def caller(web_pair: Pair, live_team: Team) -> Caller:
    grant_credits(live_team.workspace, 1000)
    model = make_language_model("sandbox/long", credits_per_reply=1)
    chatbot = make_chatbot(live_team.workspace, model, rate_limit_requests=1000)
    return Caller(web_pair[0], chatbot, make_api_key(live_team.workspace))


@pytest.mark.parametrize("after", [0, 5, 50])
def test_turn_is_resumed_from_another_process(web_pair: Pair, caller: Caller, after: int) -> None:
    turn_id, _ = start_turn(caller)
    frames = resume(caller, web_pair[1], turn_id, after)
    assert ids_of(frames) == list(range(after + 1, 203))
    assert frames[-1] == "[DONE]"


def test_finished_turn_is_replayed_with_the_same_frames(web_pair: Pair, caller: Caller) -> None:
    live = caller.frames("Hello")
    start = live[0]
    assert isinstance(start, Frame)
    for web in web_pair:
        assert resume(caller, web, start.data["turnId"], 0) == live
        assert resume(caller, web, start.data["turnId"], 50) == live[50:]


def test_last_event_id_overrides_the_after_parameter(web_pair: Pair, caller: Caller) -> None:
    """A browser's EventSource reconnects to the URL of its first request."""
    turn_id = caller.post().json()["data"]["turnId"]
    response = httpx.get(
        f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream",
        params={"after": "5"},
        headers={**caller.all_headers, "Last-Event-ID": "50"},
        verify=SSL_CONTEXT,
    )
    assert ids_of(parse_frames(response.text)) == list(range(51, 203))


@pytest.mark.parametrize(
    ("after", "last_event_id", "field"),
    [("two", "", "after"), ("", "two", "Last-Event-ID"), ("2", "two", "Last-Event-ID")],
)
def test_invalid_event_number_is_rejected(
    web_pair: Pair, live_team: Team, after: str, last_event_id: str, field: str
) -> None:
    caller = make_caller(web_pair[0], live_team.workspace)
    turn_id = caller.post().json()["data"]["turnId"]
    response = httpx.get(
        f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream",
        params={"after": after},
        headers={**caller.all_headers, "Last-Event-ID": last_event_id},
        verify=SSL_CONTEXT,
    )
    assert (response.status_code, list(response.json()["details"])) == (400, [field])


def test_200_interrupted_streams_get_each_event_once(web_pair: Pair, caller: Caller) -> None:
    rng = random.Random(20261123)
    turn_id, _ = start_turn(caller)
    schedules = [sorted(rng.sample(range(1, 202), 3)) for _ in range(200)]

    def read(cuts: list[int]) -> list[tuple[int | None, str]]:
        received: list[tuple[int | None, str]] = []
        for cut in [*cuts, 10_000]:
            web = rng.choice(web_pair)
            url = f"{web.url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream"
            with httpx.stream(
                "GET",
                url,
                params={"after": len(received)},
                headers=caller.all_headers,
                timeout=30,
                verify=SSL_CONTEXT,
            ) as response:
                received += read_frames(response, cut - len(received))
        return received

    def read_frames(response: httpx.Response, count: int) -> list[tuple[int | None, str]]:
        received: list[tuple[int | None, str]] = []
        block = ""
        for line in response.iter_lines():
            block += line + "\n"
            if line == "" and block.strip():
                received += [
                    (frame.id, frame.data.get("delta", ""))
                    for frame in parse_frames(block)
                    if isinstance(frame, Frame)
                ]
                block = ""
                if len(received) >= count:
                    break
        return received

    with ThreadPoolExecutor(40) as pool:
        results = list(pool.map(read, schedules))
    answer = Message.objects.get(turn_id=turn_id, role="assistant").text
    for result in results:
        assert [number for number, _ in result] == list(range(1, 203))
        assert "".join(text for _, text in result) == answer


def test_stop_from_another_process_charges_delivered_text(web_pair: Pair, caller: Caller) -> None:
    turn_id, _ = start_turn(caller)
    url = f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}"
    stopped = httpx.post(f"{url}/stop", headers=caller.all_headers, timeout=10).json()["data"]
    repeated = httpx.post(f"{url}/stop", headers=caller.all_headers, timeout=10).json()["data"]
    receipt = httpx.get(url, headers=caller.all_headers).json()["data"]
    assert stopped == repeated
    assert stopped["finishReason"] == "stopped"
    assert stopped["response"] == Message.objects.get(turn_id=turn_id, role="assistant").text
    assert len(stopped["response"].split()) < 200
    assert (receipt["status"], receipt["credits"]["charged"]) == ("stopped", 1)
    assert stopped["credits"] == {"charged": 1, "balance": 999}


def test_process_ignores_unknown_messages(web_pair: Pair, caller: Caller) -> None:
    turn_id, _ = start_turn(caller)
    send = async_to_sync(get_channel_layer().send)
    send(Turn.objects.get(id=turn_id).process, {"type": "unknown"})
    url = f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stop"
    stopped = httpx.post(url, headers=caller.all_headers, timeout=10).json()["data"]
    assert stopped["finishReason"] == "stopped"


def test_stop_before_the_first_token_is_free(web_pair: Pair, live_team: Team) -> None:
    grant_credits(live_team.workspace, 1)
    model = make_language_model("sandbox/silent", credits_per_reply=1)
    caller = Caller(
        web_pair[0], make_chatbot(live_team.workspace, model), make_api_key(live_team.workspace)
    )
    turn_id, _ = start_turn(caller)
    url = f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stop"
    stopped = httpx.post(url, headers=caller.all_headers, timeout=10).json()["data"]
    assert (stopped["response"], stopped["finishReason"]) == ("", "stopped")
    assert stopped["credits"] == {"charged": 0, "balance": 1}
    assert [m.role for m in Message.objects.filter(turn_id=turn_id)] == ["user"]


def test_follower_of_a_killed_process_gets_an_error(
    own_web: StartWeb, web_pair: Pair, live_team: Team
) -> None:
    runner = own_web()
    chatbot = make_chatbot(live_team.workspace, "sandbox/long")
    caller = Caller(runner, chatbot, make_api_key(live_team.workspace))
    turn_id, _ = start_turn(caller)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(resume, caller, web_pair[1], turn_id, 0)
        runner.kill()
        frames = following.result(timeout=20)
    last = frames[-2]
    assert isinstance(last, Frame)
    assert (last.event, last.data["code"]) == ("error", "TURN_ABANDONED")


def test_turn_of_another_workspace_is_not_found(
    web: WebProcess, caller: Caller, live_team: Team
) -> None:
    turn_id, _ = start_turn(caller)
    other = make_chatbot(live_team.other_workspace)
    outsider = make_api_key(live_team.other_workspace)
    for path in (f"{chatbot_id(caller)}/turns/{turn_id}", f"{other.id}/turns/{turn_id}"):
        url = f"{web.url}/api/v1/chatbots/{path}/stream"
        response = httpx.get(url, headers={"Authorization": f"Bearer {outsider}"})
        assert response.status_code == 404
