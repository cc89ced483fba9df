from __future__ import annotations

from celery import shared_task

from apps.conversations import services
from apps.core.logging import get_logger

log = get_logger(__name__)


@shared_task(name="apps.conversations.tasks.sweep_turns")  # type: ignore[untyped-decorator]
def sweep_turns() -> int:
    """Run the sweep and say what it found. Nothing is lost if a run is missed or doubled."""
    abandoned = services.sweep_turns()
    for turn_id in abandoned:
        log.warning("turn_abandoned", turn_id=turn_id)
    return len(abandoned)
