"""Lock a workspace, and check under the lock how much it has of something."""

from typing import Any

from django.db.models import QuerySet

from apps.core.errors import NotFound
from apps.infrastructure.postgres.rows import first_or_raise
from apps.workspaces.errors import LimitReached
from apps.workspaces.models import Workspace


def lock_workspace(*, workspace_id: str) -> Workspace:
    """Lock an open workspace's row until the transaction ends. No chat request waits for it.

    What is created under the lock is there before the workspace closes, and is erased with it.
    Raises NotFound if it is closed.
    """
    unclosed = Workspace.objects.filter(pk=workspace_id, closed_at=None)
    return first_or_raise(unclosed.select_for_update(no_key=True), NotFound)


def require_fewer(rows: QuerySet[Any], limit: int, *, limit_text: str) -> None:
    """Raises LimitReached unless there are fewer than `limit` of these rows.

    The caller holds the lock on the workspace. `limit_text` says what may be at most so many, and
    what to do: “A workspace has at most {limit} chatbots. Delete one first.”
    """
    if rows.count() >= limit:
        raise LimitReached(limit_text.format(limit=limit))
