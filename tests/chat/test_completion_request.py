from __future__ import annotations

from typing import Any

import pytest

from apps.chat.openai.completion_openapi import SCHEMAS
from apps.chat.openai.completion_request import (
    ACCEPTED_FIELDS,
    IGNORED_FIELDS,
    UNSUPPORTED_FIELDS,
    parse_completion,
    parse_model,
)
from apps.core.errors import ValidationFailed
from apps.llm.types import ChatMessage

QUESTION = {"role": "user", "content": "Hi"}


def body(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "bot", "messages": list(messages) or [QUESTION], **fields}


def refused(**fields: Any) -> list[str]:
    with pytest.raises(ValidationFailed) as caught:
        parse_completion(body() | fields)
    return list(caught.value.details)


def test_messages_but_the_last_are_the_history() -> None:
    greeting = {"role": "assistant", "content": "Welcome", "name": "bot", "tool_calls": None}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    asked = parse_completion(
        body(
            {"role": "developer", "content": "Be brief"},
            greeting,
            {"role": "user", "content": parts},
            {"role": "system", "content": ""},
            QUESTION,
        )
    )
    assert asked.history == (
        ChatMessage("system", "Be brief"),
        ChatMessage("assistant", "Welcome"),
        ChatMessage("user", "one\ntwo"),
        ChatMessage("system", ""),
    )
    assert asked.fields["message"] == "Hi"


def test_null_is_as_good_as_absent() -> None:
    asked = parse_completion(body(n=None, tools=None, stream=None, metadata=None, audio=None))
    assert (asked.streams, asked.include_usage, asked.fields["metadata"]) == (False, False, None)


def test_conversation_is_taken_out_of_the_metadata() -> None:
    asked = parse_completion(body(metadata={"conversationId": "c1", "ticket": "7"}))
    assert asked.fields["conversationId"] == "c1"
    assert asked.fields["metadata"] == {"ticket": "7"}


def test_name_that_could_not_be_sent_back_is_made_so_that_it_can() -> None:
    assert refused(**{"a\ud83d": 1}) == ["a?"]


def test_usage_in_a_stream() -> None:
    asked = parse_completion(body(stream=True, stream_options={"include_usage": True}))
    assert (asked.streams, asked.include_usage) == (True, True)


@pytest.mark.parametrize(
    "nothing",
    [
        {"n": 1},
        {"tools": [], "tool_choice": "auto"},
        {"functions": [], "function_call": "none"},
        {"response_format": {"type": "text"}},
        {"modalities": ["text"]},
        {"logprobs": False, "top_logprobs": 0},
    ],
)
def test_asking_for_nothing_is_no_fault(nothing: dict[str, Any]) -> None:
    assert parse_completion(body(**nothing)).fields["message"] == "Hi"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2),
        ("n", True),
        ("n", "1"),
        ("tools", [{}]),
        ("tool_choice", {"type": "function"}),
        ("response_format", {"type": "json_object"}),
        ("modalities", ["text", "audio"]),
        ("web_search_options", {}),
        ("typo", 1),
        ("messages", {}),
        ("metadata", "x"),
        ("stream_options", []),
        ("stream", 1),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(name: str, value: Any) -> None:
    assert refused(**{name: value}) == [name]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Hi", "messages[0]"),
        ({"content": "Hi"}, "messages[0].role"),
        ({"role": [], "content": "Hi"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": ["Hi"]}, "messages[0].content[0]"),
        ({"role": "user", "content": "\ud83d"}, "messages[0].content"),
        ({"role": "assistant", "content": "", "tool_calls": [{}]}, "messages[0].tool_calls"),
    ],
)
def test_what_is_no_text_message_is_refused_by_place(message: Any, name: str) -> None:
    assert refused(messages=[message, QUESTION]) == [name]


@pytest.mark.parametrize("data", [None, [], {}, {"model": 7}, {"model": ""}])
def test_model_must_be_named(data: Any) -> None:
    with pytest.raises(ValidationFailed):
        parse_model(data)


def test_document_names_every_parameter_and_no_other() -> None:
    shown = SCHEMAS["CompletionRequest"]
    assert set(shown["properties"]) == ACCEPTED_FIELDS | IGNORED_FIELDS | UNSUPPORTED_FIELDS.keys()
    assert shown["additionalProperties"] is False


@pytest.mark.parametrize("field", ["tool_calls", "function_call", "audio"])
@pytest.mark.parametrize("value", [False, 0, "", {}, [{}]])
def test_message_with_anything_but_text_is_refused(field: str, value: Any) -> None:
    assert refused(messages=[{**QUESTION, field: value}]) == [f"messages[0].{field}"]


@pytest.mark.parametrize("field", ["tool_calls", "function_call", "audio"])
@pytest.mark.parametrize("value", [None, []])
def test_message_as_openais_client_repeats_it_is_taken(field: str, value: Any) -> None:
    assert parse_completion(body({**QUESTION, field: value})).fields["message"] == "Hi"
