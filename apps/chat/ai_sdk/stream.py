"""Encode a turn as a UI message stream of the Vercel AI SDK, so that `useChat` works.

The client builds one assistant message from parts, each a JSON object in a `data:` line, and
recognises the stream by a response header. The shapes are those of
`uiMessageChunkSchema` in the npm package `ai`, major versions 5 to 7:

    start             messageId, messageMetadata {conversationId, turnId}
    text-start        id
    text-delta        id, delta
    text-end          id
    finish            finishReason, messageMetadata {…, usage, credits}
    message-metadata  the metadata of an answer that has no `finish`: stopped or failed
    abort             the turn was stopped
    error             errorText; the code is `errorCode` in the metadata

then `data: [DONE]`. A message is always sent from its start, so the parts have no numbers.
"""

from typing import Any

from apps.chat.engine.events import (
    AnswerDelta,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.core.json_text import dump_json

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}

Part = dict[str, Any]

_TEXT = "text"
_FIRST_TEXT_EVENT = 2
_FINISH_REASONS = {"stop": "stop", "length": "length", "content_filter": "content-filter"}


def encode_event(number: int, event: TurnEvent) -> bytes:
    """One event as parts, as server-sent events."""
    return "".join(f"data: {dump_json(part)}\n\n" for part in parts(number, event)).encode()


def parts(number: int, event: TurnEvent) -> list[Part]:
    """The parts of the event of this number. Text starts with event 2, if there is any."""
    end = [{"type": "text-end", "id": _TEXT}] if number > _FIRST_TEXT_EVENT else []
    match event:
        case TurnStarted():
            ids = {"conversationId": event.conversation_id, "turnId": event.turn_id}
            return [{"type": "start", "messageId": event.message_id, "messageMetadata": ids}]
        case AnswerDelta():
            begin = [{"type": "text-start", "id": _TEXT}] if number == _FIRST_TEXT_EVENT else []
            return [*begin, {"type": "text-delta", "id": _TEXT, "delta": event.text}]
        case TurnEnded():
            return [*end, *_end_parts(event)]
        case TurnFailed() | TurnInterrupted():
            code = {"errorCode": event.error.code}
            return [
                *end,
                {"type": "message-metadata", "messageMetadata": code},
                {"type": "error", "errorText": event.error.message},
            ]


def _end_parts(event: TurnEnded) -> list[Part]:
    data = event.data()
    names = ("conversationId", "turnId", "usage", "credits")
    metadata = {name: data[name] for name in names}
    if event.finish_reason == "stopped":
        return [{"type": "message-metadata", "messageMetadata": metadata}, {"type": "abort"}]
    reason = _FINISH_REASONS.get(event.finish_reason, "other")
    return [{"type": "finish", "finishReason": reason, "messageMetadata": metadata}]
