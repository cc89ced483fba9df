"""Telling of what happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.webhooks.models import Event, EventType


def emit(*, workspace_id: str, event: EventType, data: Mapping[str, Any]) -> None:
    """Write an event into the outbox. Call it in the transaction of what happened.

    `data` is the event's JSON, with camelCase names, as receivers will read it.
    """
    Event.objects.create(workspace_id=workspace_id, type=event, data=dict(data))
