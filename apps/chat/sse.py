"""Server-sent events: a turn's events as frames. Pure functions from values to bytes.

Each frame has `id:` (the event's number in the turn), `event:` and a JSON `data:` that repeats
the event's name as `type`, for readers that ignore `event:` lines. After the last frame comes
`data: [DONE]`. Lines that begin with a colon are heartbeats, which readers skip.
"""

from __future__ import annotations

import json
from typing import Any

from apps.chat.events import Delta, Ended, Failed, Started, TurnEvent

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": still here\n\n"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def frame(number: int, event: TurnEvent) -> bytes:
    """One event as one frame."""
    name, data = _named(event)
    text = json.dumps({"type": name, **data}, ensure_ascii=False, separators=(",", ":"))
    return f"id: {number}\nevent: {name}\ndata: {text}\n\n".encode()


def _named(event: TurnEvent) -> tuple[str, dict[str, Any]]:
    match event:
        case Delta():
            return "message.delta", {"delta": event.text}
        case Started():
            return "message.start", {
                "conversationId": event.conversation_id,
                "messageId": event.message_id,
                "turnId": event.turn_id,
            }
        case Ended():
            return "message.end", {"success": True, "data": event.data()}
        case Failed():
            return "error", event.error.body()
