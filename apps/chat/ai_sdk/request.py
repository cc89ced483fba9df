"""Convert request bodies of the AI SDK's `useChat` to bodies of the chat endpoint."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.core.errors import ValidationFailed
from apps.core.text import printable_name

_USE_CHAT_FIELDS = {"id", "messages", "trigger", "messageId"}


def to_chat_body(data: Any) -> Any:
    """The chat endpoint's body for a body of `useChat`; any other body is returned as it is.

    `useChat` sends `{id, messages, trigger, messageId}`, and the page may add fields of the chat
    endpoint. `message` is the text of the last message; `conversationId`, if the page adds none,
    comes from the metadata of the newest answer. The response is always a stream. Raises
    ValidationFailed.
    """
    if not isinstance(data, Mapping):
        return data
    if data.get("stream") is False:
        raise ValidationFailed({"stream": ["This protocol is always a stream."]})
    if "messages" not in data:
        return {**data, "stream": True}
    extra_fields = {name: value for name, value in data.items() if name not in _USE_CHAT_FIELDS}
    messages = _messages(data["messages"])
    conversation_id = extra_fields.pop("conversationId", None) or _conversation_id(messages)
    return {
        **extra_fields,
        "message": _question(messages),
        "conversationId": conversation_id,
        "stream": True,
    }


def _messages(value: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(message, Mapping) for message in value):
        raise _messages_error("This must be a list of UI messages.")
    return value


def _question(messages: Sequence[Mapping[str, Any]]) -> str:
    if not messages or messages[-1].get("role") != "user":
        raise _messages_error("The last message must be the user's.")
    parts = messages[-1].get("parts")
    if not isinstance(parts, list) or not all(isinstance(part, Mapping) for part in parts):
        raise _messages_error("The last message must have a list of parts.")
    texts = [_part_text(part) for part in parts if not _is_data(part)]
    if not any(text.strip() for text in texts):
        raise _messages_error("The last message has no text.")
    return "\n".join(texts)


def _part_text(part: Mapping[str, Any]) -> str:
    kind, text = part.get("type"), part.get("text")
    if kind != "text":
        shown = printable_name(kind) if isinstance(kind, str) else "null"
        raise _messages_error(
            f"Only parts of the type text can be read in the last message, not {shown}."
        )
    if not isinstance(text, str):
        raise _messages_error("A part of the type text must have a text.")
    return text


def _is_data(part: Mapping[str, Any]) -> bool:
    """Whether this is one of the page's own parts, which the model does not see."""
    return str(part.get("type")).startswith("data-")


def _conversation_id(messages: Sequence[Mapping[str, Any]]) -> Any:
    for message in reversed(messages):
        metadata = message.get("metadata")
        if message.get("role") == "assistant" and isinstance(metadata, Mapping):
            found = metadata.get("conversationId")
            if found is not None:
                return found
    return None


def _messages_error(problem: str) -> ValidationFailed:
    return ValidationFailed({"messages": [problem]})
