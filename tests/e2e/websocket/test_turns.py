"""Turns over the WebSocket have the same answers, prices, limits and errors as over HTTP."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import httpx
import pytest

from apps.chatbots.models import Chatbot
from apps.conversations.models import Message, Turn
from tests.chat_sockets import Frame, make_paying_caller, open_socket
from tests.factories import Team
from tests.web_processes import Caller, WebProcess

Pair = tuple[WebProcess, WebProcess]


@pytest.fixture
def caller(web: WebProcess, live_team: Team) -> Caller:
    return make_paying_caller(web, live_team, "sandbox/echo")


def text_of(frames: list[Frame]) -> str:
    return "".join(frame.get("delta", "") for frame in frames)


def test_turn_ends_with_the_json_response(caller: Caller) -> None:
    with open_socket(caller) as socket:
        socket.send("chat.send", requestId="first", message="over the wire", metadata={"a": 1})
        frames = socket.receive_turn()
    start, end = frames[0], frames[-1]
    key = {"requestId": "first", "turnId": start["turnId"]}
    message = Message.objects.get(turn_id=start["turnId"], role="assistant")
    assert start.pop("xRequestId") == Turn.objects.get(id=start["turnId"]).request_id
    assert start.pop("rateLimit") | {"reset": 0} == {"limit": 1000, "remaining": 999, "reset": 0}
    assert start == {
        "type": "message.start",
        "id": 1,
        "conversationId": message.conversation_id,
        "messageId": message.id,
        **key,
    }
    deltas = ["Echo:", " over", " the", " wire"]
    assert frames[1:-1] == [
        {"type": "message.delta", "id": number, "delta": text, **key}
        for number, text in enumerate(deltas, 2)
    ]
    again = caller.post("again", conversationId=message.conversation_id).json()["data"]
    assert end.pop("data") == {
        **again,
        "response": "Echo: over the wire",
        "messageId": message.id,
        "turnId": start["turnId"],
        "usage": stored_usage(start["turnId"]),
        "credits": {"charged": 1, "balance": 999},
    }
    assert end == {"type": "message.end", "id": 6, "success": True, **key}


def stored_usage(turn_id: str) -> dict[str, int | None]:
    turn = Turn.objects.get(id=turn_id)
    return {"inputTokens": turn.input_tokens, "outputTokens": turn.output_tokens}


def test_frames_match_server_sent_events(caller: Caller) -> None:
    sse = caller.frames("the same words")
    first = sse[0]
    assert not isinstance(first, str)
    with open_socket(caller) as socket:
        socket.send("turn.follow", turnId=first.data["turnId"])
        frames = socket.receive_turn()
    frames[0].pop("xRequestId")
    expected = [
        {"id": frame.id, "turnId": first.data["turnId"], **frame.data}
        for frame in sse
        if not isinstance(frame, str)
    ]
    assert frames == expected


def test_five_turns_stream_concurrently(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "sandbox/long")
    received: dict[str, list[Frame]] = {f"r{n}": [] for n in range(5)}
    order = []
    with open_socket(caller) as socket:
        for name in received:
            socket.send("chat.send", message="count", requestId=name)
        while any(not f or f[-1]["type"] != "message.end" for f in received.values()):
            frame = socket.receive()
            received[frame["requestId"]].append(frame)
            order.append(frame["requestId"])
    for frames in received.values():
        assert [frame["id"] for frame in frames] == list(range(1, 203))
        assert {frame["turnId"] for frame in frames} == {frames[0]["turnId"]}
        assert text_of(frames) == frames[-1]["data"]["response"]
    assert len({frames[0]["conversationId"] for frames in received.values()}) == 5
    assert sum(a != b for a, b in pairwise(order)) > 100


def test_turn_is_followed_and_stopped_from_another_process(web_pair: Pair, live_team: Team) -> None:
    caller = make_paying_caller(web_pair[0], live_team, "sandbox/long")
    with open_socket(caller) as opener, open_socket(caller, web_pair[1]) as follower:
        turn_id = opener.start_turn("count")["turnId"]
        follower.send("turn.follow", turnId=turn_id, after=1, requestId="again")
        first = follower.receive()
        assert (first["id"], first["requestId"], first["turnId"]) == (2, "again", turn_id)
        follower.send("turn.stop", turnId=turn_id, requestId="stop")
        remaining = follower.receive_until("turn.ended")
        end = opener.receive_turn()[-1]
    ended = remaining.pop()
    assert (ended["requestId"], ended["data"]) == ("stop", end["data"])
    assert ended["data"]["finishReason"] == "stopped"
    assert ended["data"]["credits"] == {"charged": 1, "balance": 999}
    text = text_of([first, *remaining])
    assert text == ended["data"]["response"][: len(text)]
    assert ended["data"]["response"] == Message.objects.get(turn_id=turn_id, role="assistant").text


def test_stop_of_a_finished_turn_returns_its_result(caller: Caller) -> None:
    data = caller.post("done").json()["data"]
    with open_socket(caller) as socket:
        socket.send("turn.stop", turnId=data["turnId"])
        assert socket.receive()["data"] == data


def test_follow_beyond_the_end_gets_the_last_event(caller: Caller) -> None:
    with open_socket(caller) as socket:
        socket.send("chat.send", message="Hello")
        end = socket.receive_turn()[-1]
        socket.send("turn.follow", turnId=end["turnId"], after=999)
        again = socket.receive()
    again.pop("xRequestId")
    assert again == end


def test_second_follow_replaces_the_first(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "sandbox/long")
    with open_socket(caller) as socket:
        turn_id = socket.start_turn("count", requestId="a")["turnId"]
        socket.send("turn.follow", turnId=turn_id, after=0, requestId="b")
        frames = socket.receive_turn()
    second = [frame for frame in frames if frame["requestId"] == "b"]
    assert [frame["id"] for frame in second] == list(range(1, 203))
    assert frames.index(second[0]) + len(second) == len(frames)


def test_turn_outlives_its_socket_and_is_resumed(web: WebProcess, live_team: Team) -> None:
    caller = make_paying_caller(web, live_team, "sandbox/long")
    with open_socket(caller) as socket:
        start = socket.start_turn("count")
        received = [start, *(socket.receive() for _ in range(9))]
    with open_socket(caller) as socket:
        socket.send("turn.follow", turnId=start["turnId"], after=received[-1]["id"])
        remaining = socket.receive_turn()
    assert [frame["id"] for frame in received + remaining] == list(range(1, 203))
    assert text_of(received + remaining) == remaining[-1]["data"]["response"]


def test_idempotency_key_is_shared_with_http(caller: Caller) -> None:
    headers = {**caller.all_headers, "Idempotency-Key": "same"}
    data = httpx.post(caller.url, json={"message": "once"}, headers=headers).json()["data"]
    with open_socket(caller) as socket:
        socket.send("chat.send", message="once", idempotencyKey="same")
        assert socket.receive_turn()[-1]["data"] == data
        other = socket.start_turn("twice", idempotencyKey="same")
    assert other["code"] == "IDEMPOTENCY_MISMATCH"
    assert Turn.objects.filter(workspace=workspace_of(caller)).count() == 1


def workspace_of(caller: Caller) -> Any:
    assert isinstance(caller.chatbot, Chatbot)
    return caller.chatbot.workspace


@pytest.mark.parametrize(
    ("model", "code"),
    [("sandbox/fail-midway", "MODEL_ERROR"), ("sandbox/rate-limited", "MODEL_UNAVAILABLE")],
)
def test_failed_turn_ends_with_an_error_frame(
    web: WebProcess, live_team: Team, model: str, code: str
) -> None:
    with open_socket(make_paying_caller(web, live_team, model)) as socket:
        start = socket.start_turn("one two three four")
        error = socket.receive_turn()[-1]
    assert (error["type"], error["code"], error["turnId"]) == ("error", code, start["turnId"])
    assert error["id"] > 1
    assert error.get("retryAfter") == (10 if code == "MODEL_UNAVAILABLE" else None)


def test_heartbeats_are_sent_only_while_following(web: WebProcess, live_team: Team) -> None:
    with open_socket(make_paying_caller(web, live_team, "sandbox/silent")) as socket:
        with pytest.raises(TimeoutError):
            socket.connection.recv(timeout=1.2)
        socket.start_turn("wait")
        assert json.loads(socket.connection.recv(timeout=10)) == {"type": "heartbeat"}
        assert socket.connection.ping().wait(10)
