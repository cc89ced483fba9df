"""A turn opened on one web process, followed from another, during it and after it."""

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
from tests.web_processes import SSL_CONTEXT, Caller, Frame, WebProcess, parse_frames

Pair = tuple[WebProcess, WebProcess]


def opened(caller: Caller, message: str = "Hello") -> tuple[str, httpx.Response]:
    """A streamed turn, begun: its id, and nothing more read of it."""
    turn_id = ""
    with caller.stream(message) as response:
        for line in response.iter_lines():
            if line.startswith("data: "):
                turn_id = Turn.objects.get(request_id=response.headers["X-Request-Id"]).id
                break
    return turn_id, response


def resumed(caller: Caller, web: WebProcess, turn_id: str, after: int) -> list[Frame | str]:
    """The rest of a turn, read to its end from a web process."""
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
def test_turn_is_resumed_from_the_other_process(web_pair: Pair, caller: Caller, after: int) -> None:
    turn_id, _ = opened(caller)
    frames = resumed(caller, web_pair[1], turn_id, after)
    assert ids_of(frames) == list(range(after + 1, 203))
    assert frames[-1] == "[DONE]"


def test_finished_turn_is_told_in_the_same_frames(web_pair: Pair, caller: Caller) -> None:
    live = caller.frames("Hello")
    start = live[0]
    assert isinstance(start, Frame)
    for web in web_pair:
        assert resumed(caller, web, start.data["turnId"], 0) == live
        assert resumed(caller, web, start.data["turnId"], 50) == live[50:]


def test_stream_that_began_after_a_frame_goes_on_after_the_last_one(
    web_pair: Pair, caller: Caller
) -> None:
    """As a browser's EventSource asks when it connects again: at the address where it began."""
    turn_id = caller.post().json()["data"]["turnId"]
    answer = httpx.get(
        f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream",
        params={"after": "5"},
        headers={**caller.all_headers, "Last-Event-ID": "50"},
        verify=SSL_CONTEXT,
    )
    assert ids_of(parse_frames(answer.text)) == list(range(51, 203))


@pytest.mark.parametrize(
    ("after", "last_event_id", "field"),
    [("two", "", "after"), ("", "two", "Last-Event-ID"), ("2", "two", "Last-Event-ID")],
)
def test_number_of_a_frame_that_makes_no_sense_is_refused(
    web_pair: Pair, caller: Caller, after: str, last_event_id: str, field: str
) -> None:
    turn_id = caller.post().json()["data"]["turnId"]
    answer = httpx.get(
        f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream",
        params={"after": after},
        headers={**caller.all_headers, "Last-Event-ID": last_event_id},
        verify=SSL_CONTEXT,
    )
    assert (answer.status_code, list(answer.json()["details"])) == (400, [field])


def test_two_hundred_cut_and_resumed_streams_lose_and_repeat_nothing(
    web_pair: Pair, caller: Caller
) -> None:
    chance = random.Random(20261123)
    turn_id, _ = opened(caller)
    schedules = [sorted(chance.sample(range(1, 202), 3)) for _ in range(200)]

    def read(cuts: list[int]) -> list[tuple[int | None, str]]:
        got: list[tuple[int | None, str]] = []
        for cut in [*cuts, 10_000]:
            web = chance.choice(web_pair)
            url = f"{web.url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stream"
            with httpx.stream(
                "GET",
                url,
                params={"after": len(got)},
                headers=caller.all_headers,
                timeout=30,
                verify=SSL_CONTEXT,
            ) as response:
                got += until(response, cut - len(got))
        return got

    def until(response: httpx.Response, count: int) -> list[tuple[int | None, str]]:
        got: list[tuple[int | None, str]] = []
        block = ""
        for line in response.iter_lines():
            block += line + "\n"
            if line == "" and block.strip():
                got += [
                    (frame.id, frame.data.get("delta", ""))
                    for frame in parse_frames(block)
                    if isinstance(frame, Frame)
                ]
                block = ""
                if len(got) >= count:
                    break
        return got

    with ThreadPoolExecutor(40) as pool:
        results = list(pool.map(read, schedules))
    answer = Message.objects.get(turn_id=turn_id, role="assistant").text
    for result in results:
        assert [number for number, _ in result] == list(range(1, 203))
        assert "".join(text for _, text in result) == answer


def test_stop_from_the_other_process_keeps_and_charges_what_was_delivered(
    web_pair: Pair, caller: Caller
) -> None:
    turn_id, _ = opened(caller)
    url = f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}"
    stopped = httpx.post(f"{url}/stop", headers=caller.all_headers, timeout=10).json()["data"]
    again = httpx.post(f"{url}/stop", headers=caller.all_headers, timeout=10).json()["data"]
    receipt = httpx.get(url, headers=caller.all_headers).json()["data"]
    assert stopped == again
    assert stopped["finishReason"] == "stopped"
    assert stopped["response"] == Message.objects.get(turn_id=turn_id, role="assistant").text
    assert len(stopped["response"].split()) < 200
    assert (receipt["status"], receipt["credits"]["charged"]) == ("stopped", 1)
    assert stopped["credits"] == {"charged": 1, "balance": 999}


def test_message_that_makes_no_sense_does_not_deafen_a_process(
    web_pair: Pair, caller: Caller
) -> None:
    turn_id, _ = opened(caller)
    send = async_to_sync(get_channel_layer().send)
    send(Turn.objects.get(id=turn_id).process, {"type": "of another version"})
    url = f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stop"
    stopped = httpx.post(url, headers=caller.all_headers, timeout=10).json()["data"]
    assert stopped["finishReason"] == "stopped"


def test_stop_before_the_first_word_charges_nothing(web_pair: Pair, live_team: Team) -> None:
    grant_credits(live_team.workspace, 1)
    model = make_language_model("sandbox/silent", credits_per_reply=1)
    caller = Caller(
        web_pair[0], make_chatbot(live_team.workspace, model), make_api_key(live_team.workspace)
    )
    turn_id, _ = opened(caller)
    url = f"{web_pair[1].url}/api/v1/chatbots/{chatbot_id(caller)}/turns/{turn_id}/stop"
    stopped = httpx.post(url, headers=caller.all_headers, timeout=10).json()["data"]
    assert (stopped["response"], stopped["finishReason"]) == ("", "stopped")
    assert stopped["credits"] == {"charged": 0, "balance": 1}
    assert [m.role for m in Message.objects.filter(turn_id=turn_id)] == ["user"]


def test_follower_of_a_killed_process_is_told(
    own_web: StartWeb, web_pair: Pair, live_team: Team
) -> None:
    runner = own_web()
    chatbot = make_chatbot(live_team.workspace, "sandbox/long")
    caller = Caller(runner, chatbot, make_api_key(live_team.workspace))
    turn_id, _ = opened(caller)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(resumed, caller, web_pair[1], turn_id, 0)
        runner.kill()
        frames = following.result(timeout=20)
    last = frames[-2]
    assert isinstance(last, Frame)
    assert (last.event, last.data["code"]) == ("error", "TURN_ABANDONED")


def test_turn_of_another_workspace_is_not_found(
    web: WebProcess, caller: Caller, live_team: Team
) -> None:
    turn_id, _ = opened(caller)
    other = make_chatbot(live_team.other_workspace)
    outsider = make_api_key(live_team.other_workspace)
    for path in (f"{chatbot_id(caller)}/turns/{turn_id}", f"{other.id}/turns/{turn_id}"):
        url = f"{web.url}/api/v1/chatbots/{path}/stream"
        response = httpx.get(url, headers={"Authorization": f"Bearer {outsider}"})
        assert response.status_code == 404
