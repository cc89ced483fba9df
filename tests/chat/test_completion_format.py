from __future__ import annotations

from dataclasses import replace

import pytest

from apps.chat.engine.events import (
    AnswerDelta,
    SourcesFound,
    TurnEnded,
    TurnFailed,
    TurnStarted,
)
from apps.chat.errors import ModelError
from apps.chat.openai import completion_format as frames
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ConversationBusy
from apps.core.errors import ApiError, TooManyRequests, ValidationFailed
from apps.credits.errors import InsufficientCredits
from apps.infrastructure.redis.rate_limit import Window
from tests.chat.answer_sources import FILE, PAGE

STARTED = TurnStarted("conversation", "message", "turn")
IDS = {"conversationId": "conversation", "turnId": "turn", "messageId": "message"}
COMMON = {"id": "chatcmpl-turn", "created": 1000, "model": "bot"}
USAGE_AND_CREDITS = {
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    "credits": {"charged": 1, "balance": 99},
}


def ended(reason: str = "stop") -> TurnEnded:
    return TurnEnded("Hi you", "conversation", "message", "turn", reason, 3, 2, 1, 99)


def test_completion_has_answer_usage_and_credits() -> None:
    assert frames.format_completion(ended(), model="bot", created=1000) == {
        **COMMON,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi you", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        **USAGE_AND_CREDITS,
        "metadata": IDS,
    }


CITING = "😀 Yes [1], within 30 days [2][1, 2]; see [3]."


def ended_with_sources(response: str = CITING) -> TurnEnded:
    return replace(ended(), response=response, knowledge="found", sources=(PAGE, FILE))


def test_citations_of_pages_are_annotations() -> None:
    completion = frames.format_completion(ended_with_sources(), model="bot", created=1000)
    annotations = completion["choices"][0]["message"]["annotations"]
    assert [each["type"] for each in annotations] == ["url_citation"] * 2
    citations = [each["url_citation"] for each in annotations]
    assert [CITING[each["start_index"] : each["end_index"]] for each in citations] == [
        "[1]",
        "[1, 2]",
    ]
    page = {"title": "Returns", "url": "https://acme.example/returns"}
    assert citations[0] == {"start_index": 6, "end_index": 9, **page}
    assert citations[1].items() >= page.items()


def test_completion_has_the_sources_of_its_answer() -> None:
    completion = frames.format_completion(ended_with_sources("Yes [2]."), model="bot", created=1000)
    assert completion["knowledge"] == "found"
    assert completion["sources"] == [
        {**PAGE.data(), "cited": False},
        {**FILE.data(), "cited": True},
    ]
    assert completion["choices"][0]["message"]["annotations"] == []


def test_stream_has_sources_before_text_and_annotations_after_it() -> None:
    chunks = frames.ChunkEncoder("bot", 1000)
    found = SourcesFound("found", (PAGE, FILE))
    events = (STARTED, found, AnswerDelta("Yes [1]."), ended_with_sources("Yes [1]."))
    _, first, text, annotated, last = [body for event in events for body in chunks.bodies(event)]
    assert (first["knowledge"], first["sources"]) == ("found", [PAGE.data(), FILE.data()])
    assert first["choices"][0]["delta"] == {}
    assert text["choices"][0]["delta"] == {"content": "Yes [1]."}
    (annotation,) = annotated["choices"][0]["delta"]["annotations"]
    assert annotation["url_citation"] == {
        "start_index": 4,
        "end_index": 7,
        "title": "Returns",
        "url": "https://acme.example/returns",
    }
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in (annotated, last)]
    assert (reasons, last["choices"][0]["delta"]) == ([None, "stop"], {})


@pytest.mark.parametrize("response", ["Yes.", "Yes [2]."])
def test_stream_without_cited_pages_has_no_annotations(response: str) -> None:
    (last,) = frames.ChunkEncoder("bot", 1000).bodies(ended_with_sources(response))
    assert last["choices"][0]["delta"] == {}


@pytest.mark.parametrize(
    ("reason", "finish_reason"),
    [("length", "length"), ("content_filter", "content_filter"), ("stopped", "stop")],
)
def test_finish_reasons_match_openai(reason: str, finish_reason: str) -> None:
    assert frames.finish_reason(ended(reason)) == finish_reason


def test_chunks_have_role_text_reason_and_usage() -> None:
    chunks = frames.ChunkEncoder("bot", 1000, include_usage=True)
    sent = [
        body for event in (STARTED, AnswerDelta("Hi"), ended()) for body in chunks.bodies(event)
    ]
    assert [body["object"] for body in sent] == ["chat.completion.chunk"] * 4
    assert {(body["id"], body["created"], body["model"]) for body in sent} == {
        ("chatcmpl-turn", 1000, "bot")
    }
    first, text, last, usage = sent
    role = {"role": "assistant", "content": "", "refusal": None}
    assert (first["choices"][0]["delta"], first["metadata"]) == (role, IDS)
    assert text["choices"][0]["delta"] == {"content": "Hi"}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]) == ([], USAGE_AND_CREDITS["usage"])
    assert [body["usage"] for body in sent[:3]] == [None] * 3


def test_usage_is_omitted_by_default() -> None:
    chunks = frames.ChunkEncoder("bot", 1000)
    sent = [body for event in (STARTED, ended()) for body in chunks.bodies(event)]
    assert ["usage" in body for body in sent] == [False, False]


def test_failure_is_an_error_frame() -> None:
    frame = frames.ChunkEncoder("bot", 1000).encode(2, TurnFailed(ModelError())).decode()
    assert frame.startswith('data: {"error":{"message":"The language model failed')
    assert frame.endswith('"code":"MODEL_ERROR"}}\n\n')


@pytest.mark.parametrize(
    ("error", "kind", "param"),
    [
        (ChatbotNotFound(), "invalid_request_error", "model"),
        (ConversationBusy(), "invalid_request_error", None),
        (InsufficientCredits(), "insufficient_quota", None),
        (TooManyRequests(3), "rate_limit_error", None),
        (ModelError(), "server_error", None),
        (ValidationFailed(message="The body is not valid JSON."), "invalid_request_error", None),
    ],
)
def test_errors_keep_message_and_code(error: ApiError, kind: str, param: str | None) -> None:
    assert frames.error_body(error) == {
        "error": {"message": error.message, "type": kind, "param": param, "code": error.code}
    }


def test_insufficient_credits_have_figures() -> None:
    error = InsufficientCredits(needed=12, available=3)
    assert frames.error_body(error)["error"] == {
        "message": error.message,
        "type": "insufficient_quota",
        "param": None,
        "code": error.code,
        "needed": 12,
        "available": 3,
    }


def test_rejected_fields_have_openai_names() -> None:
    details = {"message": ["It is empty."], "n": ["It is 1."]}
    error = frames.error_body(ValidationFailed(details))["error"]
    assert error["message"] == "messages: It is empty. n: It is 1."
    assert error["param"] == "messages"


@pytest.mark.parametrize(("now", "wait"), [(1000.0, "60s"), (1000.5, "60s"), (1100.0, "0s")])
def test_limit_headers_have_seconds_until_reset(now: float, wait: str) -> None:
    window = Window(limit=60, remaining=59, reset=1060, retry_after=1, admitted=True)
    assert frames.limit_headers(window, now=now) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": wait,
    }
