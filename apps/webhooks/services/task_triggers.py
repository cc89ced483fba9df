"""Start the workers' tasks right away. Celery beat starts them within seconds in any case."""

from apps.infrastructure.task_queue import send_task

DELIVER_DUE_TASK = "apps.webhooks.tasks.deliver_due"
EMAIL_OWNERS_TASK = "apps.webhooks.tasks.email_owners"

_EXPIRES_SECONDS = 300
# After an outage of the workers one task does the work of all. Longer than clocks can differ.


def enqueue_deliveries() -> None:
    """Have a worker send the deliveries that are due."""
    send_task(DELIVER_DUE_TASK, expires=_EXPIRES_SECONDS)


def enqueue_owner_emails() -> None:
    """Have a worker email the owners of endpoints that were disabled."""
    send_task(EMAIL_OWNERS_TASK, expires=_EXPIRES_SECONDS)
