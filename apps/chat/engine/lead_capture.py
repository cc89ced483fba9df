"""Capture the lead that comes with a chat request, once its turn is open."""

import asyncio
from collections.abc import Mapping
from typing import Any

from apps.conversations.models import Turn
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.threads import in_thread
from apps.leads.capture import capture_from_metadata, parse_lead_metadata

log = get_logger(__name__)

CAPTURE_SECONDS = 2.0


async def capture_lead(turn: Turn, metadata: Mapping[str, Any] | None) -> None:
    """Save the lead of `metadata.lead`, while the model is at work.

    A chat never fails for its lead, nor waits long for it: after CAPTURE_SECONDS it is saved beside
    the answer, and an error here is logged.
    """
    try:
        fields = parse_lead_metadata(metadata)
        if fields is None:
            return
        saving = start_background_task(in_thread(capture_from_metadata, turn=turn, fields=fields))
        async with asyncio.timeout(CAPTURE_SECONDS):
            await asyncio.shield(saving)
    except TimeoutError:
        log.warning("lead_is_late", turn_id=turn.id)
    except Exception:
        log.exception("lead_not_captured", turn_id=turn.id)
