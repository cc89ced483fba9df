from celery import shared_task

from apps.infrastructure.logging import get_logger
from apps.webhooks import delivery, owner_emails, pruning, services

log = get_logger(__name__)

_MAX_SECONDS = 60.0
# Well below CELERY_TASK_TIME_LIMIT. Celery beat starts the next run.


@shared_task(name=services.DELIVER_DUE_TASK)  # type: ignore[untyped-decorator]
def deliver_due() -> int:
    """Send the deliveries that are due. Started when an event is committed and by Celery beat."""
    return delivery.deliver_due(seconds=_MAX_SECONDS)


@shared_task(name=services.EMAIL_OWNERS_TASK)  # type: ignore[untyped-decorator]
def email_owners() -> int:
    """Email the owners of endpoints that were disabled automatically."""
    return owner_emails.email_owners()


@shared_task  # type: ignore[untyped-decorator]
def prune_webhooks() -> int:
    """Delete old deliveries and events."""
    deleted = pruning.prune()
    log.info("webhooks_pruned", rows=deleted)
    return deleted
