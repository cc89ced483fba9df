"""Parse the body of OpenAI's chat completions.

The caller's `messages` are the state: the last is the question, the rest its history. Parameters
that only tune an answer are accepted and ignored, because the chatbot's owner decides; those that
would change the kind of answer (tools, several choices, audio, a JSON schema) are rejected by
name, and so are unknown ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.chat.openai.completion_messages import Body, parse_messages
from apps.core.errors import ValidationFailed
from apps.core.text import printable_name
from apps.llm.types import ChatMessage

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
    history, question = parse_messages(given.get("messages"))
    metadata = _object(given, "metadata")
    streams = _flag(given, "stream", "stream")
    usage = _flag(_object(given, "stream_options"), "include_usage", "stream_options.include_usage")
    other_metadata = {name: value for name, value in metadata.items() if name != "conversationId"}
    fields = {
        "message": question,
        "conversationId": metadata.get("conversationId"),
        "metadata": other_metadata or None,
        "stream": streams,
    }
    return CompletionBody(fields, history, streams, usage)


def _reject_unsupported_fields(given: Body) -> None:
    for name, value in given.items():
        if name in UNSUPPORTED_FIELDS:
            has_no_effect, problem = UNSUPPORTED_FIELDS[name]
            if not has_no_effect(value):
                raise ValidationFailed({name: [problem]})
        elif name not in ACCEPTED_FIELDS and name not in IGNORED_FIELDS:
            raise ValidationFailed({printable_name(name): ["This parameter is not known here."]})


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
