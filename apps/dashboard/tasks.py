from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.core.logging import get_logger
from apps.dashboard import books, erasure, forgetting
from apps.workspaces.services import ERASE_USERS

log = get_logger(__name__)


@shared_task(name="apps.dashboard.tasks.end_workspaces")  # type: ignore[untyped-decorator]
def end_workspaces() -> int:
    """Close and erase what is due. Nothing is lost if a run is missed, doubled or cut off."""
    erased = erasure.end_workspaces(now=timezone.now())
    for workspace_id in erased:
        log.info("workspace_erased", workspace_id=workspace_id)
    return len(erased)


@shared_task(name="apps.dashboard.tasks.check_books")  # type: ignore[untyped-decorator]
def check_books() -> bool:
    """Check the books of the day that has begun; False where that is done or under way."""
    return books.check_books(now=timezone.now()) is not None


@shared_task(name="apps.dashboard.tasks.forget_old")  # type: ignore[untyped-decorator]
def forget_old() -> int:
    """Delete what workspaces keep no longer. Nothing is lost if a run is missed or doubled."""
    return forgetting.forget_old(now=timezone.now())


@shared_task(name=ERASE_USERS)  # type: ignore[untyped-decorator]
def erase_users() -> int:
    """Erase the end-users whom workspaces want forgotten. Asked for at once, and by the clock."""
    return forgetting.erase_users(now=timezone.now())
