from __future__ import annotations

from dataclasses import replace

import pytest

from apps.chat.ai_sdk.request import to_chat_body
from apps.chat.ai_sdk.stream import Part, PartEncoder
from apps.chat.engine.events import (
    AnswerDelta,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnStarted,
)
from apps.chat.errors import ModelError
from apps.chat.http.stream_format import AI_SDK
from apps.core.errors import ValidationFailed
from tests.chat.answer_sources import FILE, PAGE

STARTED = TurnStarted("conversation", "message", "turn")


def ended(reason: str = "stop") -> TurnEnded:
    return TurnEnded("Hi you", "conversation", "message", "turn", reason, 3, 2, 1, 99)


def encode(*events: TurnEvent) -> list[Part]:
    """The parts of a stream of these events."""
    encoder = PartEncoder()
    return [part for event in events for part in encoder.parts(event)]


METADATA = {
    "conversationId": "conversation",
    "turnId": "turn",
    "usage": {"inputTokens": 3, "outputTokens": 2},
    "credits": {"charged": 1, "balance": 99},
}


def test_text_part_lasts_from_first_delta_to_end() -> None:
    assert encode(STARTED, AnswerDelta("Hi"), AnswerDelta(" you"), ended()) == [
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
    assert encode(STARTED, ended("stopped"))[1:] == [metadata, {"type": "abort"}]


def test_failed_turn_ends_its_text_part() -> None:
    parts = encode(STARTED, AnswerDelta("Hi"), TurnFailed(ModelError()))
    assert [part["type"] for part in parts] == [
        "start",
        "text-start",
        "text-delta",
        "text-end",
        "message-metadata",
        "error",
    ]


@pytest.mark.parametrize("before", [[], [STARTED]])
def test_failed_turn_without_text_sends_no_text_end(before: list[TurnEvent]) -> None:
    parts = encode(*before, TurnFailed(ModelError()))[len(before) :]
    assert parts[-1] == {"type": "error", "errorText": ModelError.message}
    assert len(parts) == 2


def test_sources_come_before_the_text() -> None:
    parts = encode(STARTED, SourcesFound("found", (PAGE, FILE)), AnswerDelta("Hi"))
    assert parts[1:] == [
        {
            "type": "source-url",
            "url": "https://acme.example/returns",
            "sourceId": "page-1",
            "title": "Returns",
            "providerMetadata": {
                "parley": {
                    "number": 1,
                    "sourceId": "page",
                    "page": None,
                    "quote": "Thirty days.",
                }
            },
        },
        {
            "type": "source-document",
            "mediaType": "text/plain",
            "sourceId": "file-2",
            "title": "Handbook",
            "providerMetadata": {
                "parley": {"number": 2, "sourceId": "file", "page": 7, "quote": "Keep it."}
            },
        },
        {"type": "text-start", "id": "text"},
        {"type": "text-delta", "id": "text", "delta": "Hi"},
    ]


def test_passages_of_one_source_have_different_ids() -> None:
    passages = (FILE, replace(FILE, number=3))
    parts = encode(STARTED, SourcesFound("found", passages))
    assert [part["sourceId"] for part in parts[1:]] == ["file-2", "file-3"]


@pytest.mark.parametrize(("reason", "kind"), [("stop", "finish"), ("stopped", "message-metadata")])
def test_end_tells_which_sources_are_cited(reason: str, kind: str) -> None:
    end = replace(ended(reason), response="Yes [2].", knowledge="found", sources=(PAGE, FILE))
    (last,) = [part for part in encode(STARTED, end) if part["type"] == kind]
    assert list(last["messageMetadata"]) == [*METADATA, "knowledge", "sources"]
    cited = {each["number"]: each["cited"] for each in last["messageMetadata"]["sources"]}
    assert cited == {1: False, 2: True}


def test_search_without_sources_has_no_parts() -> None:
    assert encode(SourcesFound("nothing_found", ()), AnswerDelta("Hi"))[0]["type"] == "text-start"


def test_streams_do_not_share_their_text_part() -> None:
    first, second = AI_SDK.make_encoder(), AI_SDK.make_encoder()
    assert first(2, AnswerDelta("Hi")) == second(2, AnswerDelta("Hi"))


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [("length", "length"), ("content_filter", "content-filter"), ("odd", "other")],
)
def test_finish_reasons_match_the_ai_sdk(reason: str, finish_reason: str) -> None:
    assert encode(ended(reason))[-1]["finishReason"] == finish_reason


def test_each_part_is_one_data_line() -> None:
    assert (
        PartEncoder().encode(2, AnswerDelta("ß\n"))
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
