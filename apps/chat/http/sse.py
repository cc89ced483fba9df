"""Server-sent events: a turn's events as frames. Pure functions from values to bytes.

Each frame has `id:` (the event's number in the turn), `event:` and a JSON `data:` that repeats
the event's name as `type`, for readers that ignore `event:` lines. An interruption has no `id:`:
a client that connects again sends the last one that it has, and misses nothing. After the last
frame comes `data: [DONE]`. Lines that begin with a colon are heartbeats, which readers skip.
"""

from apps.chat.engine.event_payloads import event_payload
from apps.chat.engine.events import AnswerDelta, TurnEvent, TurnInterrupted
from apps.core.json_text import dump_json, dump_json_string

DONE = b"data: [DONE]\n\n"
HEARTBEAT = b": still here\n\n"
HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def encode_event(number: int, event: TurnEvent) -> bytes:
    """One event as one frame."""
    if isinstance(event, AnswerDelta):  # nearly every frame: avoids the JSON encoder's set-up
        return (
            f"id: {number}\nevent: message.delta\n"
            f'data: {{"type":"message.delta","delta":{dump_json_string(event.text)}}}\n\n'
        ).encode()
    payload = event_payload(event)
    if isinstance(event, TurnInterrupted):
        return f"event: {payload['type']}\ndata: {dump_json(payload)}\n\n".encode()
    return f"id: {number}\nevent: {payload['type']}\ndata: {dump_json(payload)}\n\n".encode()
