"""The UI message stream of the Vercel AI SDK, so that `useChat` works with a chatbot.

A reader of that protocol builds one assistant message out of parts, each a JSON object in a
`data:` line, and knows the stream by a response header. The shapes are those of
`uiMessageChunkSchema` in the npm package `ai`, major versions 5 to 7:

    start             messageId, messageMetadata {conversationId, turnId}
    text-start        id
    text-delta        id, delta
    text-end          id
    finish            finishReason, messageMetadata {…, usage, credits}
    message-metadata  the metadata of an answer that has no `finish`: stopped or failed
    abort             the turn was stopped
    error             errorText; the code is `errorCode` in the metadata

then `data: [DONE]`. A message is always told from its start, so the parts need no numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.chat.events import Delta, Ended, Failed, Started, TurnEvent
from apps.chat.frames import as_json
from apps.core.errors import ValidationFailed

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}

Part = dict[str, Any]

_TEXT = "text"
_FIRST_TEXT = 2
_FINISH_REASONS = {"stop": "stop", "length": "length", "content_filter": "content-filter"}
_OF_USE_CHAT = {"id", "messages", "trigger", "messageId"}


def frame(number: int, event: TurnEvent) -> bytes:
    """One event as the parts that tell it."""
    return "".join(f"data: {as_json(part)}\n\n" for part in parts(number, event)).encode()


def parts(number: int, event: TurnEvent) -> list[Part]:
    """The parts that tell the event of this number: text begins with event 2, if ever."""
    end = [{"type": "text-end", "id": _TEXT}] if number > _FIRST_TEXT else []
    match event:
        case Started():
            ids = {"conversationId": event.conversation_id, "turnId": event.turn_id}
            return [{"type": "start", "messageId": event.message_id, "messageMetadata": ids}]
        case Delta():
            begin = [{"type": "text-start", "id": _TEXT}] if number == _FIRST_TEXT else []
            return [*begin, {"type": "text-delta", "id": _TEXT, "delta": event.text}]
        case Ended():
            return [*end, *_ending(event)]
        case Failed():
            code = {"errorCode": event.error.code}
            return [
                *end,
                {"type": "message-metadata", "messageMetadata": code},
                {"type": "error", "errorText": event.error.error},
            ]


def _ending(event: Ended) -> list[Part]:
    said = event.data()
    names = ("conversationId", "turnId", "usage", "credits")
    metadata = {name: said[name] for name in names}
    if event.finish_reason == "stopped":
        return [{"type": "message-metadata", "messageMetadata": metadata}, {"type": "abort"}]
    reason = _FINISH_REASONS.get(event.finish_reason, "other")
    return [{"type": "finish", "finishReason": reason, "messageMetadata": metadata}]


def chat_body(data: Any) -> Any:
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
        raise _refused("This must be a list of UI messages.")
    return value


def _question(messages: Sequence[Mapping[str, Any]]) -> str:
    if not messages or messages[-1].get("role") != "user":
        raise _refused("The last message must be the user's.")
    said = messages[-1].get("parts")
    if not isinstance(said, list) or not all(isinstance(part, Mapping) for part in said):
        raise _refused("The last message must have a list of parts.")
    return "\n".join(_text_of(part) for part in said if not _is_data(part))


def _text_of(part: Mapping[str, Any]) -> str:
    text = part.get("text")
    if part.get("type") != "text" or not isinstance(text, str):
        raise _refused("Only parts of the type text can be read in the last message.")
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


def _refused(problem: str) -> ValidationFailed:
    return ValidationFailed({"messages": [problem]})
