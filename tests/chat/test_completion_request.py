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
            QUESTION,
        )
    )
    assert request.history == (
        ChatMessage("system", "Be brief"),
        ChatMessage("assistant", "Welcome"),
        ChatMessage("user", "one\ntwo"),
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


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ({"content": None}, None),
        ({}, None),
        ({"content": ""}, None),
        ({"content": " \n"}, None),
        ({"content": []}, None),
        ({"content": [{"type": "text", "text": ""}]}, None),
        ({"content": None, "refusal": None, "tool_calls": [CALL]}, None),
        ({"content": [], "function_call": {"name": "f", "arguments": ""}}, None),
        ({"content": "Let me see.", "tool_calls": [CALL]}, "Let me see."),
        ({"content": None, "refusal": "I won't."}, "I won't."),
        ({"content": "", "refusal": "I won't."}, "I won't."),
        ({"content": [{"type": "refusal", "refusal": "I won't."}]}, "I won't."),
        ({"content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]}, "a\nb"),
        ({"content": "Hi", "refusal": None, "name": "bot", "audio": None, "annotations": []}, "Hi"),
    ],
)
def test_assistant_message_is_shown_if_it_has_words(message: Any, shown: str | None) -> None:
    request = parse_completion(body({"role": "assistant", **message}, QUESTION))
    assert request.history == ((ChatMessage("assistant", shown),) if shown else ())


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_empty_messages_are_left_out_of_the_history(role: str) -> None:
    empty = [{"type": "text", "text": ""}]
    messages = [{"role": role, "content": ""}, {"role": role, "content": empty}, QUESTION]
    assert parse_completion(body(*messages)).history == ()


def test_results_of_tools_are_left_out() -> None:
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "1", "content": "21 °C"},
        {"role": "assistant", "function_call": CALL["function"]},
        {"role": "function", "name": "f", "content": "21 °C"},
        {"role": "assistant", "content": "It is warm."},
    ]
    history = parse_completion(body(*messages, QUESTION)).history
    assert history == (ChatMessage("assistant", "It is warm."),)
    assert rejected_fields(messages=messages[:2]) == ["messages"]
    assert rejected_fields(messages=[messages[1], QUESTION]) == ["messages[0].role"]
    assert rejected_fields(messages=[messages[3], QUESTION]) == ["messages[0].role"]


@pytest.mark.parametrize(
    ("message", "name", "problem"),
    [
        (
            {"role": "user", "content": None},
            "content",
            "Expected a string or a list of parts, got null.",
        ),
        ({"role": "user", "content": []}, "content", "Expected at least one part"),
        ({"role": "system"}, "content", "Expected a string or a list of parts, got null."),
        ({"role": "assistant", "content": 7}, "content", "got a number."),
        ({"role": "assistant", "content": "Hi", "refusal": 7}, "refusal", "Expected a string"),
        ({"role": "user", "content": "Hi", "name": 7}, "name", "Expected a string"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},
            "content[0]",
            "A message can have text only, not a part of the type image_url.",
        ),
        (
            {"role": "user", "content": [{"type": "refusal", "refusal": "no"}]},
            "content[0]",
            "A message can have text only, not a part of the type refusal.",
        ),
        ({"role": "tool", "content": None}, "content", "got null."),
        ({"role": "critic", "content": "Hi"}, "role", "assistant or tool."),
    ],
)
def test_what_openai_refuses_is_refused_by_position(message: Any, name: str, problem: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse_completion(body(message, QUESTION))
    ((param, sentences),) = caught.value.details.items()
    assert param == f"messages[0].{name}"
    assert problem in sentences[0]


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
