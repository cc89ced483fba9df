"""A turn's events as named objects: the one place that names them, for every edge.

Server-sent events carry the object as `data:`; a WebSocket carries it as a text message, with
the event's number as `id`, the turn it belongs to, and what the client called its request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted


def event_payload(event: TurnEvent) -> dict[str, Any]:
    """The event as an object: its name as `type`, then what it says."""
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


def dump_json(frame: Mapping[str, Any]) -> str:
    """Compact JSON, its text unescaped."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def dump_json_string(text: str) -> str:
    """A text as JSON, in quotes: what `dump_json` makes of it."""
    return encode_basestring(text)
