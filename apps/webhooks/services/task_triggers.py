"""Start the workers' tasks right away. Celery beat starts them within seconds in any case."""

from celery import current_app
from kombu.exceptions import OperationalError

from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

DELIVER_DUE_TASK = "apps.webhooks.tasks.deliver_due"
EMAIL_OWNERS_TASK = "apps.webhooks.tasks.email_owners"

_EXPIRES_SECONDS = 300
# After an outage of the workers one task does the work of all. Longer than clocks can differ.


def enqueue_deliveries() -> None:
    """Have a worker send the deliveries that are due."""
    _send_task(DELIVER_DUE_TASK)


def enqueue_owner_emails() -> None:
    """Have a worker email the owners of endpoints that were disabled."""
    _send_task(EMAIL_OWNERS_TASK)


def _send_task(task: str) -> None:
    """Send a task; if the broker is unavailable, only log it."""
    try:
        current_app.send_task(task, retry=False, ignore_result=True, expires=_EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("webhook_enqueue_failed", task=task, error=type(error).__name__)
