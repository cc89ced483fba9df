from __future__ import annotations

import pytest

from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnFailed, TurnStarted
from apps.chat.errors import ModelError
from apps.chat.openai import completion_format as frames
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ConversationBusy
from apps.core.errors import ApiError, TooManyRequests, ValidationFailed
from apps.credits.errors import InsufficientCredits
from apps.infrastructure.redis.rate_limit import Window

STARTED = TurnStarted("conversation", "message", "turn")
IDS = {"conversationId": "conversation", "turnId": "turn", "messageId": "message"}
ABOUT = {"id": "chatcmpl-turn", "created": 1000, "model": "bot"}
COUNTED = {
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    "credits": {"charged": 1, "balance": 99},
}


def ended(reason: str = "stop") -> TurnEnded:
    return TurnEnded("Hi you", "conversation", "message", "turn", reason, 3, 2, 1, 99)


def test_completion_has_the_answer_and_what_it_cost() -> None:
    assert frames.format_completion(ended(), model="bot", created=1000) == {
        **ABOUT,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi you", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        **COUNTED,
        "metadata": IDS,
    }


@pytest.mark.parametrize(
    ("reason", "told"),
    [("length", "length"), ("content_filter", "content_filter"), ("stopped", "stop")],
)
def test_finish_reasons_are_those_of_openai(reason: str, told: str) -> None:
    assert frames.finish_reason(ended(reason)) == told


def test_chunks_say_role_text_reason_and_usage() -> None:
    chunks = frames.ChunkEncoder("bot", 1000, include_usage=True)
    told = [
        body for event in (STARTED, AnswerDelta("Hi"), ended()) for body in chunks.bodies(event)
    ]
    assert [body["object"] for body in told] == ["chat.completion.chunk"] * 4
    assert {(body["id"], body["created"], body["model"]) for body in told} == {
        ("chatcmpl-turn", 1000, "bot")
    }
    first, text, last, usage = told
    role = {"role": "assistant", "content": "", "refusal": None}
    assert (first["choices"][0]["delta"], first["metadata"]) == (role, IDS)
    assert text["choices"][0]["delta"] == {"content": "Hi"}
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "stop")
    assert (usage["choices"], usage["usage"]) == ([], COUNTED["usage"])
    assert [body["usage"] for body in told[:3]] == [None] * 3


def test_usage_is_left_out_unless_asked_for() -> None:
    chunks = frames.ChunkEncoder("bot", 1000)
    told = [body for event in (STARTED, ended()) for body in chunks.bodies(event)]
    assert ["usage" in body for body in told] == [False, False]


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
def test_errors_keep_our_sentence_and_code(error: ApiError, kind: str, param: str | None) -> None:
    assert frames.error_body(error) == {
        "error": {"message": error.message, "type": kind, "param": param, "code": error.code}
    }


def test_refused_fields_are_called_as_openai_calls_them() -> None:
    details = {"message": ["It is empty."], "n": ["It is 1."]}
    told = frames.error_body(ValidationFailed(details))["error"]
    assert told["message"] == "messages: It is empty. n: It is 1."
    assert told["param"] == "messages"


@pytest.mark.parametrize(("now", "wait"), [(1000.0, "60s"), (1000.5, "60s"), (1100.0, "0s")])
def test_limit_counts_the_seconds_to_the_reset(now: float, wait: str) -> None:
    window = Window(limit=60, remaining=59, reset=1060, retry_after=1, admitted=True)
    assert frames.limit_headers(window, now=now) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": wait,
    }
