"""Asking the workers to look at once. If nobody hears it, their clock asks within seconds."""

from __future__ import annotations

from celery import current_app
from kombu.exceptions import OperationalError

from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

DELIVER_DUE_TASK = "apps.webhooks.tasks.deliver_due"
EMAIL_OWNERS_TASK = "apps.webhooks.tasks.tell_owners"

_EXPIRES_SECONDS = 300
# Workers that were away for long find one look enough. Machines' clocks may differ by less.


def enqueue_deliveries() -> None:
    """There may be something to send."""
    _send_task(DELIVER_DUE_TASK)


def enqueue_owner_emails() -> None:
    """There may be owners to tell that an endpoint is off."""
    _send_task(EMAIL_OWNERS_TASK)


def _send_task(task: str) -> None:
    try:
        current_app.send_task(task, retry=False, ignore_result=True, expires=_EXPIRES_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("webhook_wake_failed", task=task, error=type(error).__name__)
