"""WebSocket frames: a turn's events and errors as text messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apps.chat.engine.event_payloads import dump_json, event_payload
from apps.chat.engine.events import TurnEvent, TurnFailed
from apps.core.errors import ApiError

HEARTBEAT = '{"type":"heartbeat"}'


def socket_frame(number: int, event: TurnEvent, about: Mapping[str, Any]) -> str:
    """One event as a WebSocket's message. `about`: what else it says, such as the turn's id."""
    if isinstance(event, TurnFailed):
        return error_frame(event.error, {"id": number, **about})
    return dump_json({"id": number, **about, **event_payload(event)})


def error_frame(error: ApiError, about: Mapping[str, Any]) -> str:
    """An error as a WebSocket's message. `retryAfter` stands in it: there are no headers."""
    wait = {} if error.retry_after is None else {"retryAfter": error.retry_after}
    # A refused field may be named by half a surrogate pair, which only ASCII can carry.
    return json.dumps({"type": "error", **about, **error.body(), **wait}, separators=(",", ":"))
