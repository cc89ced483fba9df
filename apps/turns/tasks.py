from celery import shared_task

from apps.infrastructure.logging import get_logger
from apps.turns import sweep

log = get_logger(__name__)


@shared_task  # type: ignore[untyped-decorator]
def sweep_turns() -> int:
    """Run the sweep and return how many turns it ended. Safe to miss a run or to run twice."""
    abandoned = sweep.sweep_turns()
    for turn_id in abandoned:
        log.warning("turn_abandoned", turn_id=turn_id)
    return len(abandoned)
