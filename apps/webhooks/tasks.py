from __future__ import annotations

from celery import shared_task

from apps.infrastructure.logging import get_logger
from apps.webhooks import delivery as delivering
from apps.webhooks import owner_emails as notices
from apps.webhooks import services

log = get_logger(__name__)

_SECONDS = 60.0
# Then the clock asks anew, so that no job comes near the time limit of all jobs.


@shared_task(name=services.DELIVER_DUE_TASK)  # type: ignore[untyped-decorator]
def deliver_due() -> int:
    """Send what is due. Sent at each commit of an event and by the clock: both may be lost."""
    return delivering.deliver_due(seconds=_SECONDS)


@shared_task(name=services.EMAIL_OWNERS_TASK)  # type: ignore[untyped-decorator]
def tell_owners() -> int:
    """Mail the owners of endpoints that were switched off for them."""
    return notices.email_owners()


@shared_task(name="apps.webhooks.tasks.prune")  # type: ignore[untyped-decorator]
def prune() -> int:
    """Delete what is older than it is kept."""
    deleted = delivering.prune()
    log.info("webhooks_pruned", rows=deleted)
    return deleted
