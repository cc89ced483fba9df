from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.chat.ai_sdk.stream import PartEncoder
from apps.chat.engine.event_payloads import event_payload
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted
from apps.chat.errors import ModelError
from apps.chat.http import sse
from apps.chat.openai.completion_format import ChunkEncoder
from apps.core.errors import TooManyRequests
from apps.core.json_text import dump_json

ENDED = TurnEnded(
    response="Hi",
    conversation_id="c1",
    message_id="m1",
    turn_id="t1",
    finish_reason="stop",
    input_tokens=3,
    output_tokens=1,
    charged=2,
    balance=8,
)


def test_started_frame_has_the_ids() -> None:
    assert sse.encode_event(1, TurnStarted("c1", "m1", "t1")) == (
        b"id: 1\nevent: message.start\n"
        b'data: {"type":"message.start","conversationId":"c1","messageId":"m1","turnId":"t1"}\n\n'
    )


def test_delta_frame_has_the_text() -> None:
    assert sse.encode_event(2, AnswerDelta(" word")) == (
        b'id: 2\nevent: message.delta\ndata: {"type":"message.delta","delta":" word"}\n\n'
    )


def test_ended_frame_matches_the_json_response() -> None:
    head, data = sse.encode_event(3, ENDED).split(b"data: ")
    assert head == b"id: 3\nevent: message.end\n"
    assert json.loads(data) == {"type": "message.end", "success": True, "data": ENDED.data()}


def test_failed_frame_has_the_error_body() -> None:
    assert sse.encode_event(4, TurnFailed(ModelError())) == (
        b'id: 4\nevent: error\ndata: {"type":"error","success":false,'
        b'"error":"The language model failed to answer. Nothing was charged.",'
        b'"code":"MODEL_ERROR"}\n\n'
    )


def test_failed_frame_has_extra_error_fields() -> None:
    data = sse.encode_event(1, TurnFailed(TooManyRequests(7))).split(b"data: ")[1]
    assert json.loads(data)["retryAfter"] == 7


def test_text_with_line_breaks_is_one_data_line() -> None:
    text = "a\n\nb\r\nc\rd\x85e\u2028f\u2029 data: x é 😀"
    frame = sse.encode_event(1, AnswerDelta(text))
    assert frame.endswith(b"\n\n")
    lines = frame.removesuffix(b"\n\n").split(b"\n")
    assert [line.split(b":")[0] for line in lines] == [b"id", b"event", b"data"]
    assert b"\r" not in frame
    assert json.loads(lines[2].removeprefix(b"data: "))["delta"] == text


LINE_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""Every character that ends a line for str.splitlines, and so for httpx and requests."""


@pytest.mark.parametrize("character", LINE_BREAKS)
def test_no_format_has_a_line_break_in_its_data(character: str) -> None:
    text = f"山{character}{character}田"
    events: list[TurnEvent] = [
        TurnStarted("c1", "m1", "t1"),
        AnswerDelta(text),
        replace(ENDED, response=text),
        TurnFailed(ModelError(text)),
    ]
    chunks = ChunkEncoder(model="bot", created=1)
    encoders = [sse.encode_event, PartEncoder().encode, chunks.encode]
    for encode in encoders:
        for number, event in enumerate(events, 1):
            frames = encode(number, event).decode()
            assert frames.splitlines() == frames.removesuffix("\n").split("\n")
            for line in frames.splitlines():
                assert not line.startswith("data: ") or json.loads(line.removeprefix("data: "))


def test_heartbeat_is_a_comment() -> None:
    assert (sse.HEARTBEAT[:1], sse.HEARTBEAT[-2:], sse.HEARTBEAT.count(b"\n")) == (b":", b"\n\n", 2)


def test_done_frame_is_openais() -> None:
    assert sse.DONE == b"data: [DONE]\n\n"


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_fast_path_frame_equals_the_generic_frame(text: str) -> None:
    expected = (
        f"id: 7\nevent: message.delta\ndata: {dump_json(event_payload(AnswerDelta(text)))}\n\n"
    )
    assert sse.encode_event(7, AnswerDelta(text)) == expected.encode()
