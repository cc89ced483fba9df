from typing import Any

from celery import shared_task
from django.utils import timezone

from apps.infrastructure.logging import get_logger
from apps.infrastructure.task_queue import send_task_on_commit
from apps.privacy import end_user_erasure, retention, workspace_deletion

ERASE_END_USERS_TASK = "apps.privacy.tasks.erase_end_users"

log = get_logger(__name__)


@shared_task  # type: ignore[untyped-decorator]
def delete_due_workspaces() -> int:
    """Close and erase workspaces whose deletion is due. Safe to miss, repeat or interrupt."""
    erased = workspace_deletion.delete_due_workspaces(now=timezone.now())
    for workspace_id in erased:
        log.info("workspace_erased", workspace_id=workspace_id)
    return len(erased)


@shared_task  # type: ignore[untyped-decorator]
def delete_expired_data() -> int:
    """Delete data past its retention period. Safe to miss a run or to run twice."""
    return retention.delete_expired_data(now=timezone.now())


@shared_task(name=ERASE_END_USERS_TASK)  # type: ignore[untyped-decorator]
def erase_end_users() -> int:
    """Erase the end users whose erasure was requested. Runs on request and on a schedule."""
    return end_user_erasure.erase_end_users(now=timezone.now())


def enqueue_erasures(**_: Any) -> None:
    """Queue the task that erases end users; a receiver of `erasure_requested`."""
    send_task_on_commit(ERASE_END_USERS_TASK)
