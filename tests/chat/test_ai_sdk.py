from __future__ import annotations

import pytest

from apps.chat.ai_sdk.request import to_chat_body
from apps.chat.ai_sdk.stream import encode_event, parts
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted
from apps.chat.errors import ModelError
from apps.core.errors import ValidationFailed

STARTED = TurnStarted("conversation", "message", "turn")


def ended(reason: str = "stop") -> TurnEnded:
    return TurnEnded("Hi you", "conversation", "message", "turn", reason, 3, 2, 1, 99)


METADATA = {
    "conversationId": "conversation",
    "turnId": "turn",
    "usage": {"inputTokens": 3, "outputTokens": 2},
    "credits": {"charged": 1, "balance": 99},
}


def test_text_part_lasts_from_first_delta_to_end() -> None:
    events: list[TurnEvent] = [STARTED, AnswerDelta("Hi"), AnswerDelta(" you"), ended()]
    sent = [part for number, event in enumerate(events, 1) for part in parts(number, event)]
    assert sent == [
        {
            "type": "start",
            "messageId": "message",
            "messageMetadata": {"conversationId": "conversation", "turnId": "turn"},
        },
        {"type": "text-start", "id": "text"},
        {"type": "text-delta", "id": "text", "delta": "Hi"},
        {"type": "text-delta", "id": "text", "delta": " you"},
        {"type": "text-end", "id": "text"},
        {"type": "finish", "finishReason": "stop", "messageMetadata": METADATA},
    ]


def test_stopped_turn_sends_metadata_and_abort() -> None:
    metadata = {"type": "message-metadata", "messageMetadata": METADATA}
    assert parts(2, ended("stopped")) == [metadata, {"type": "abort"}]


def test_failed_turn_ends_its_text_part() -> None:
    assert [part["type"] for part in parts(3, TurnFailed(ModelError()))] == [
        "text-end",
        "message-metadata",
        "error",
    ]


@pytest.mark.parametrize("number", [1, 2])
def test_failed_turn_without_text_sends_no_text_end(number: int) -> None:
    assert parts(number, TurnFailed(ModelError()))[-1] == {
        "type": "error",
        "errorText": ModelError.message,
    }
    assert len(parts(number, TurnFailed(ModelError()))) == 2


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [("length", "length"), ("content_filter", "content-filter"), ("odd", "other")],
)
def test_finish_reasons_match_the_ai_sdk(reason: str, finish_reason: str) -> None:
    assert parts(3, ended(reason))[-1]["finishReason"] == finish_reason


def test_each_part_is_one_data_line() -> None:
    assert (
        encode_event(2, AnswerDelta("ß\n"))
        == (
            'data: {"type":"text-start","id":"text"}\n\n'
            'data: {"type":"text-delta","id":"text","delta":"ß\\n"}\n\n'
        ).encode()
    )


def test_use_chat_body_is_converted() -> None:
    answer = {"role": "assistant", "metadata": {"conversationId": "c1"}, "parts": []}
    question = {"role": "user", "parts": [{"type": "text", "text": "Hi"}, {"type": "data-x"}]}
    body = {
        "id": "chat",
        "trigger": "submit-message",
        "messages": [answer, question],
        "metadata": {"page": "/"},
    }
    assert to_chat_body(body) == {
        "message": "Hi",
        "conversationId": "c1",
        "metadata": {"page": "/"},
        "stream": True,
    }
    assert to_chat_body({**body, "conversationId": "c2"})["conversationId"] == "c2"


def test_native_body_is_kept_and_streamed() -> None:
    assert to_chat_body({"message": "Hi"}) == {"message": "Hi", "stream": True}
    assert to_chat_body(["Hi"]) == ["Hi"]


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "Hi",
        ["Hi"],
        [],
        [{"role": "assistant", "parts": [{"type": "text", "text": "Hi"}]}],
        [{"role": "user", "parts": "Hi"}],
        [{"role": "user", "parts": ["Hi"]}],
        [{"role": "user", "parts": [{"type": "text", "text": 7}]}],
        [{"role": "user", "parts": [{"type": "file", "url": "data:"}]}],
    ],
)
def test_unsupported_messages_are_rejected(messages: object) -> None:
    with pytest.raises(ValidationFailed) as caught:
        to_chat_body({"messages": messages})
    assert list(caught.value.details) == ["messages"]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([], "The last message has no text."),
        ([{"type": "data-page", "data": {}}], "The last message has no text."),
        ([{"type": "text", "text": " \n"}], "The last message has no text."),
        (
            [{"type": "text", "text": "Hi"}, {"type": "file", "url": "data:"}],
            "Only parts of the type text can be read in the last message, not file.",
        ),
        (
            [{"type": "reasoning", "text": "Hm"}],
            "Only parts of the type text can be read in the last message, not reasoning.",
        ),
        (
            [{"text": "Hi"}],
            "Only parts of the type text can be read in the last message, not null.",
        ),
        ([{"type": "text"}], "A part of the type text must have a text."),
    ],
)
def test_message_without_readable_text_says_why(parts: list[object], problem: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        to_chat_body({"messages": [{"role": "user", "parts": parts}]})
    assert caught.value.details == {"messages": [problem]}


def test_parts_of_earlier_messages_may_be_of_any_type() -> None:
    answer = {
        "role": "assistant",
        "metadata": {"conversationId": "c1"},
        "parts": [{"type": "step-start"}, {"type": "reasoning", "text": "Hm"}, {"type": "file"}],
    }
    question = {"role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    assert to_chat_body({"messages": [answer, question]})["message"] == "Hi"
