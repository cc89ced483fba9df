"""WebSocket frames: a turn's events and errors as text messages."""

import json
from collections.abc import Mapping
from typing import Any

from apps.chat.engine.event_payloads import event_payload
from apps.chat.engine.events import TurnEvent, TurnFailed, TurnInterrupted
from apps.core.errors import ApiError
from apps.core.json_text import dump_json

HEARTBEAT = '{"type":"heartbeat"}'


def socket_frame(number: int, event: TurnEvent, context: Mapping[str, Any]) -> str:
    """One event as a text message. `context`: further fields, such as the turn's id.

    An interruption has no number.
    """
    if isinstance(event, TurnInterrupted):
        return error_frame(event.error, context)
    if isinstance(event, TurnFailed):
        return error_frame(event.error, {"id": number, **context})
    return dump_json({"id": number, **context, **event_payload(event)})


def error_frame(error: ApiError, context: Mapping[str, Any]) -> str:
    """An error as a text message, with `retryAfter` in it, because there are no headers."""
    wait = {} if error.retry_after is None else {"retryAfter": error.retry_after}
    # The name of a rejected field may contain half a surrogate pair, which only ASCII can carry.
    return json.dumps({"type": "error", **context, **error.body(), **wait}, separators=(",", ":"))
