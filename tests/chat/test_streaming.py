"""Stream mode: frames and their order, headers, heartbeats and failures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apps.conversations.models import Message
from tests.factories import Team, make_language_model
from tests.web_processes import Caller, Frame, WebProcess, make_caller, parse_frames


def without_done(frames: list[Frame | str]) -> list[Frame]:
    """Remove the closing `[DONE]`, which must be the last item and the only string."""
    *events, last = frames
    assert last == "[DONE]"
    return [frame for frame in events if isinstance(frame, Frame)]


def iterate_events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))


def test_stream_sends_all_events_of_the_turn(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(
        web,
        live_team.workspace,
        make_language_model(credits_per_reply=2),
        credits=10,
        system_prompt="",
    )
    start, *deltas, end = without_done(caller.frames("Hello there"))
    ids = {name: start.data[name] for name in ("conversationId", "messageId", "turnId")}
    assert (start.event, start.data) == ("message.start", {"type": "message.start", **ids})
    assert [delta.event for delta in deltas] == ["message.delta"] * 3
    assert [delta.data for delta in deltas] == [
        {"type": "message.delta", "delta": text} for text in ("Echo:", " Hello", " there")
    ]
    assert (end.event, end.data) == (
        "message.end",
        {
            "type": "message.end",
            "success": True,
            "data": {
                "response": "Echo: Hello there",
                **ids,
                "finishReason": "stop",
                "usage": {"inputTokens": 2, "outputTokens": 3},
                "credits": {"charged": 2, "balance": 8},
            },
        },
    )


def test_end_frame_matches_the_json_response(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace)
    caller.headers["Idempotency-Key"] = "one"
    end = without_done(caller.frames())[-1]
    caller.headers["Idempotency-Key"] = "two"
    data = caller.post(stream=False).json()["data"]
    assert end.data["data"].keys() == data.keys()
    assert end.data["data"]["usage"] == data["usage"]
    assert end.data["data"]["response"] == data["response"]


def test_frames_are_numbered_without_gaps(web: WebProcess, live_team: Team) -> None:
    frames = without_done(make_caller(web, live_team.workspace).frames("a b c d e f g"))
    assert [frame.id for frame in frames] == list(range(1, 11))
    assert [frame.data["type"] for frame in frames] == [frame.event for frame in frames]


def test_stream_headers_disable_proxy_buffering(web: WebProcess, live_team: Team) -> None:
    with make_caller(web, live_team.workspace).stream() as response:
        headers = response.headers
        response.read()
    assert {
        name: headers.get(name)
        for name in ("Content-Type", "Cache-Control", "X-Accel-Buffering", "Content-Length")
    } == {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
        "Content-Length": None,
    }


def test_stream_has_only_frames(web: WebProcess, live_team: Team) -> None:
    with make_caller(web, live_team.workspace).stream("é\n\nb") as response:
        text = response.read().decode()
    blocks = text.split("\n\n")
    assert (blocks[-2:], "\r" in text) == (["data: [DONE]", ""], False)
    for number, block in enumerate(blocks[:-2], 1):
        id_line, event_line, data_line = block.split("\n")
        data = json.loads(data_line.removeprefix("data: "))
        assert (id_line, event_line) == (f"id: {number}", f"event: {data['type']}")
    deltas = [frame for frame in without_done(parse_frames(text)) if "delta" in frame.data]
    assert "".join(frame.data["delta"] for frame in deltas) == "Echo: é\n\nb"


def test_tokens_arrive_before_the_turn_ends(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace, "sandbox/slow")
    with caller.stream("one two three four five six") as response:
        events = iterate_events(response.iter_lines())
        start = next(events)
        assert next(events)["delta"] == "Echo:"
        # The first word has arrived while the turn is running: its answer is not saved yet.
        assert not Message.objects.filter(id=start["messageId"]).exists()
        assert list(events)[-1]["data"]["response"] == "Echo: one two three four five six"
    assert Message.objects.get(id=start["messageId"]).text == "Echo: one two three four five six"


def test_silent_model_sends_heartbeats(web: WebProcess, live_team: Team) -> None:
    caller = make_caller(web, live_team.workspace, "sandbox/silent")
    with caller.stream() as response:
        assert response.status_code == 200
        blocks = response.read().decode().split("\n\n")
    comments = [block for block in blocks if block.startswith(":")]
    start, error = without_done(parse_frames("\n\n".join(blocks)))
    assert len(comments) >= 2
    assert set(comments) == {": still here"}
    assert (start.event, start.id, error.event, error.id) == ("message.start", 1, "error", 2)
    assert error.data == {
        "type": "error",
        "success": False,
        "error": "The language model took too long to answer. Nothing was charged.",
        "code": "MODEL_TIMEOUT",
    }


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("fail-before", 502, "MODEL_ERROR"),
        ("rate-limited", 503, "MODEL_UNAVAILABLE"),
    ],
)
def test_failure_before_the_first_token_is_json(
    web: WebProcess, live_team: Team, model: str, status: int, code: str
) -> None:
    response = make_caller(web, live_team.workspace, f"sandbox/{model}").post(stream=True)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("message", ["", None])
def test_rejected_stream_request_is_json(
    web: WebProcess, live_team: Team, message: str | None
) -> None:
    response = make_caller(web, live_team.workspace).post(message, stream=True)
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_ERROR")


def test_two_streams_run_concurrently(web: WebProcess, live_team: Team) -> None:
    first = make_caller(web, live_team.workspace, "sandbox/slow")
    second = Caller(web, first.chatbot, first.key)
    with first.stream("one two") as one, second.stream("three four") as two:
        texts = [list(iterate_events(each.iter_lines()))[-1] for each in (two, one)]
    assert [text["data"]["response"] for text in texts] == ["Echo: three four", "Echo: one two"]
