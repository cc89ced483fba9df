"""Request bodies of the AI SDK's useChat, as bodies of the chat endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.core.errors import ValidationFailed

_OF_USE_CHAT = {"id", "messages", "trigger", "messageId"}


def to_chat_body(data: Any) -> Any:
    """The chat endpoint's own body for what `useChat` sends; any other body as it is.

    `useChat` sends `{id, messages, trigger, messageId}` and whatever the page adds: the fields of
    the chat endpoint. `message` is the text of the last message; `conversationId`, where the page
    adds none, is the one in the metadata of the newest answer, as `start` and `finish` gave it.
    The answer is a stream. Raises ValidationFailed.
    """
    if not isinstance(data, Mapping):
        return data
    if data.get("stream") is False:
        raise ValidationFailed({"stream": ["This protocol is always a stream."]})
    if "messages" not in data:
        return {**data, "stream": True}
    own = {name: value for name, value in data.items() if name not in _OF_USE_CHAT}
    messages = _messages(data["messages"])
    conversation_id = own.pop("conversationId", None) or _conversation_id(messages)
    return {
        **own,
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
    said = messages[-1].get("parts")
    if not isinstance(said, list) or not all(isinstance(part, Mapping) for part in said):
        raise _messages_error("The last message must have a list of parts.")
    return "\n".join(_text_of(part) for part in said if not _is_data(part))


def _text_of(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    if part.get("type") != "text" or not isinstance(text, str):
        raise _messages_error("Only parts of the type text can be read in the last message.")
    return text


def _is_data(part: Mapping[str, Any]) -> bool:
    """Whether this is one of the page's own parts, which no model is shown."""
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
