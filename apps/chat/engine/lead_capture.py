"""Capture the lead that comes with a chat request, once its turn is open."""

from collections.abc import Mapping
from typing import Any

from apps.conversations.models import Turn
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.threads import in_thread
from apps.leads.capture import capture_from_metadata, parse_lead_metadata

log = get_logger(__name__)


async def capture_lead(turn: Turn, metadata: Mapping[str, Any] | None) -> None:
    """Save the lead of `metadata.lead`, while the model is at work.

    A chat never fails for its lead: an error here is logged, and the turn goes on.
    """
    fields = parse_lead_metadata(metadata)
    if fields is None:
        return
    try:
        await in_thread(capture_from_metadata, turn=turn, fields=fields)
    except Exception:
        log.exception("lead_not_captured", turn_id=turn.id)
