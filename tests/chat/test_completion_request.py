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


def rejected_fields(**fields: Any) -> list[str]:
    with pytest.raises(ValidationFailed) as caught:
        parse_completion(body() | fields)
    return list(caught.value.details)


def test_messages_before_the_last_are_the_history() -> None:
    greeting = {"role": "assistant", "content": "Welcome", "name": "bot", "tool_calls": None}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    request = parse_completion(
        body(
            {"role": "developer", "content": "Be brief"},
            greeting,
            {"role": "user", "content": parts},
            {"role": "system", "content": ""},
            QUESTION,
        )
    )
    assert request.history == (
        ChatMessage("system", "Be brief"),
        ChatMessage("assistant", "Welcome"),
        ChatMessage("user", "one\ntwo"),
        ChatMessage("system", ""),
    )
    assert request.fields["message"] == "Hi"


def test_null_parameters_are_ignored() -> None:
    request = parse_completion(body(n=None, tools=None, stream=None, metadata=None, audio=None))
    assert (request.streams, request.include_usage, request.fields["metadata"]) == (
        False,
        False,
        None,
    )


def test_conversation_id_is_removed_from_metadata() -> None:
    request = parse_completion(body(metadata={"conversationId": "c1", "ticket": "7"}))
    assert request.fields["conversationId"] == "c1"
    assert request.fields["metadata"] == {"ticket": "7"}


def test_unencodable_parameter_name_is_replaced() -> None:
    assert rejected_fields(**{"a\ud83d": 1}) == ["a?"]


def test_stream_options_can_include_usage() -> None:
    request = parse_completion(body(stream=True, stream_options={"include_usage": True}))
    assert (request.streams, request.include_usage) == (True, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"tools": [], "tool_choice": "auto"},
        {"functions": [], "function_call": "none"},
        {"response_format": {"type": "text"}},
        {"modalities": ["text"]},
        {"logprobs": False, "top_logprobs": 0},
    ],
)
def test_parameters_without_effect_are_accepted(fields: dict[str, Any]) -> None:
    assert parse_completion(body(**fields)).fields["message"] == "Hi"


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
def test_unsupported_parameters_are_rejected_by_name(name: str, value: Any) -> None:
    assert rejected_fields(**{name: value}) == [name]


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
def test_non_text_messages_are_rejected_by_position(message: Any, name: str) -> None:
    assert rejected_fields(messages=[message, QUESTION]) == [name]


@pytest.mark.parametrize("data", [None, [], {}, {"model": 7}, {"model": ""}])
def test_model_is_required(data: Any) -> None:
    with pytest.raises(ValidationFailed):
        parse_model(data)


def test_openapi_schema_lists_every_parameter() -> None:
    schema = SCHEMAS["CompletionRequest"]
    assert set(schema["properties"]) == ACCEPTED_FIELDS | IGNORED_FIELDS | UNSUPPORTED_FIELDS.keys()
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("field", ["tool_calls", "function_call", "audio"])
@pytest.mark.parametrize("value", [False, 0, "", {}, [{}]])
def test_message_with_tool_calls_or_audio_is_rejected(field: str, value: Any) -> None:
    assert rejected_fields(messages=[{**QUESTION, field: value}]) == [f"messages[0].{field}"]


@pytest.mark.parametrize("field", ["tool_calls", "function_call", "audio"])
@pytest.mark.parametrize("value", [None, []])
def test_message_with_empty_tool_calls_is_accepted(field: str, value: Any) -> None:
    assert parse_completion(body({**QUESTION, field: value})).fields["message"] == "Hi"
