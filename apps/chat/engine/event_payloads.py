"""A turn's events as named objects: the one place that names them, for every edge.

Server-sent events carry the object as `data:`; a WebSocket carries it as a text message, with
the event's number as `id`, the turn it belongs to, and what the client called its request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

from apps.chat.engine.events import Delta, Ended, Failed, Started, TurnEvent


def named(event: TurnEvent) -> dict[str, Any]:
    """The event as an object: its name as `type`, then what it says."""
    match event:
        case Delta():
            return {"type": "message.delta", "delta": event.text}
        case Started():
            return {
                "type": "message.start",
                "conversationId": event.conversation_id,
                "messageId": event.message_id,
                "turnId": event.turn_id,
            }
        case Ended():
            return {"type": "message.end", "success": True, "data": event.data()}
        case Failed():
            return {"type": "error", **event.error.body()}


def as_json(frame: Mapping[str, Any]) -> str:
    """Compact JSON, its text unescaped."""
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def as_json_text(text: str) -> str:
    """A text as JSON, in quotes: what `as_json` makes of it."""
    return encode_basestring(text)
