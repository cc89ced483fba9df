"""The JSON objects of a turn's events: the one place that names them, for every transport."""

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted


def event_payload(event: TurnEvent) -> dict[str, Any]:
    """The event as an object: its name as `type`, then its fields."""
    match event:
        case AnswerDelta():
            return {"type": "message.delta", "delta": event.text}
        case TurnStarted():
            return {
                "type": "message.start",
                "conversationId": event.conversation_id,
                "messageId": event.message_id,
                "turnId": event.turn_id,
            }
        case TurnEnded():
            return {"type": "message.end", "success": True, "data": event.data()}
        case TurnFailed():
            return {"type": "error", **event.error.body()}


def dump_json(value: Mapping[str, Any]) -> str:
    """Compact JSON with unescaped text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dump_json_string(text: str) -> str:
    """A string as JSON, quoted: the same as `dump_json` makes of it, without its set-up."""
    return encode_basestring(text)
