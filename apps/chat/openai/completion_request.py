"""Parse the body of OpenAI's chat completions.

The caller's `messages` are the state: the last is the question, the rest its history. Parameters
that only tune an answer are accepted and ignored, because the chatbot's owner decides; those that
would change the kind of answer (tools, several choices, audio, a JSON schema) are rejected by
name, and so are unknown ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.errors import ValidationFailed
from apps.core.text import is_encodable, printable_name
from apps.llm.types import ChatMessage, Role

Body = Mapping[str, Any]

ACCEPTED_FIELDS = {"model", "messages", "stream", "stream_options", "metadata"}
IGNORED_FIELDS = {
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "moderation",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "temperature",
    "top_p",
    "user",
    "verbosity",
}
_NO_TOOLS = "A chatbot calls no tools."
UNSUPPORTED_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    # parameter: (whether a value has no effect, the error if it has one)
    "audio": (lambda value: False, "A chatbot answers in text only."),
    "function_call": (lambda value: value == "none", _NO_TOOLS),
    "functions": (lambda value: value == [], _NO_TOOLS),
    "logprobs": (lambda value: value is False, "A chatbot tells no log probabilities."),
    "modalities": (lambda value: value == ["text"], "A chatbot answers in text only."),
    "n": (lambda value: value == 1 and value is not True, "A chatbot gives one answer: n is 1."),
    "response_format": (
        lambda value: isinstance(value, Mapping) and value.get("type") == "text",
        "A chatbot answers in text; ask for another form in the messages.",
    ),
    "tool_choice": (lambda value: value in ("none", "auto"), _NO_TOOLS),
    "tools": (lambda value: value == [], _NO_TOOLS),
    "top_logprobs": (
        lambda value: value == 0 and value is not False,
        "A chatbot tells no log probabilities.",
    ),
    "web_search_options": (lambda value: False, "A chatbot does not search the web."),
}
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}


@dataclass(frozen=True, slots=True)
class CompletionBody:
    """A parsed body. `fields`: the body of the chat endpoint that it means, not validated yet."""

    fields: Mapping[str, Any]
    history: tuple[ChatMessage, ...]
    streams: bool
    include_usage: bool


def parse_model(data: Any) -> str:
    """The chatbot's id. Raises ValidationFailed."""
    model = data.get("model") if isinstance(data, Mapping) else None
    if not isinstance(model, str) or not model:
        raise ValidationFailed({"model": ["Send the chatbot's id."]})
    return model


def parse_completion(data: Any) -> CompletionBody:
    """Parse a JSON object with a model. Raises ValidationFailed naming what is not supported."""
    given = {name: value for name, value in data.items() if value is not None}
    _reject_unsupported_fields(given)
    messages = _messages(given.get("messages"))
    metadata = _object(given, "metadata")
    streams = _flag(given, "stream", "stream")
    usage = _flag(_object(given, "stream_options"), "include_usage", "stream_options.include_usage")
    other_metadata = {name: value for name, value in metadata.items() if name != "conversationId"}
    fields = {
        "message": messages[-1].content,
        "conversationId": metadata.get("conversationId"),
        "metadata": other_metadata or None,
        "stream": streams,
    }
    return CompletionBody(fields, tuple(messages[:-1]), streams, usage)


def _reject_unsupported_fields(given: Body) -> None:
    for name, value in given.items():
        if name in UNSUPPORTED_FIELDS:
            has_no_effect, problem = UNSUPPORTED_FIELDS[name]
            if not has_no_effect(value):
                raise ValidationFailed({name: [problem]})
        elif name not in ACCEPTED_FIELDS and name not in IGNORED_FIELDS:
            raise ValidationFailed({printable_name(name): ["This parameter is not known here."]})


def _messages(value: Any) -> list[ChatMessage]:
    if not isinstance(value, list) or not value:
        raise ValidationFailed({"messages": ["Send a list of messages."]})
    messages = [_message(message, f"messages[{at}]") for at, message in enumerate(value)]
    if messages[-1].role != "user":
        raise ValidationFailed({"messages": ["The last message must be the user's."]})
    return messages


def _message(value: Any, name: str) -> ChatMessage:
    if not isinstance(value, Mapping):
        raise ValidationFailed({name: ["This must be an object."]})
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        problem = "This must be system, developer, user or assistant."
        raise ValidationFailed({f"{name}.role": [problem]})
    for field in ("tool_calls", "function_call", "audio"):
        if value.get(field) not in (None, []):
            raise ValidationFailed({f"{name}.{field}": ["A message can have text only."]})
    return ChatMessage(_ROLES[role], _content(value.get("content"), f"{name}.content"))


def _content(value: Any, name: str) -> str:
    if isinstance(value, str):
        return _text(value, name)
    if not isinstance(value, list):
        raise ValidationFailed({name: ["This must be text, or a list of text parts."]})
    return "\n".join(_part(part, f"{name}[{at}]") for at, part in enumerate(value))


def _part(value: Any, name: str) -> str:
    text = value.get("text") if isinstance(value, Mapping) else None
    if not isinstance(text, str) or value.get("type") != "text":
        raise ValidationFailed({name: ["This must be a part of the type text."]})
    return _text(text, name)


def _text(value: str, name: str) -> str:
    if not is_encodable(value):
        problem = "This has half a surrogate pair in it, which no model can be shown."
        raise ValidationFailed({name: [problem]})
    return value


def _object(given: Body, name: str) -> Body:
    value = given.get(name, {})
    if not isinstance(value, Mapping):
        raise ValidationFailed({name: ["This must be an object."]})
    return value


def _flag(given: Body, name: str, full_name: str) -> bool:
    value = given.get(name)
    if not isinstance(value, bool | None):
        raise ValidationFailed({full_name: ["This must be true or false."]})
    return bool(value)
