"""Forgetting one end-user: asked for in a workspace, done by the job worker, and then only counted.

The user's id is a person's own: it is kept until the work is done, and stands in no log.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.audit.services import Actor, record
from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.models import Erasure, Workspace

ERASE_USERS = "apps.privacy.tasks.erase_users"
CLAIM_DURATION = timedelta(minutes=10)
"""How long a worker has for one erasure before another may go on with it."""


@transaction.atomic
def request_erasure(
    *,
    workspace: Workspace,
    user_id: str,
    actor: Actor,
    by: User | None = None,
    claimed_at: datetime | None = None,
) -> Erasure:
    """Let all that the end-user of this `metadata.userId` said be erased. Raises ValueError.

    The job worker does it, unless the caller does and has claimed it.
    """
    if not 1 <= len(user_id) <= Erasure.MAX_USER_ID_LENGTH:
        raise ValueError(f"A user id has 1 to {Erasure.MAX_USER_ID_LENGTH} characters.")
    until = claimed_at + CLAIM_DURATION if claimed_at else None
    erasure = Erasure.objects.create(
        workspace=workspace, user_id=user_id, asked_by=by, claimed_until=until
    )
    _record(erasure, actor, "end_user.erasure_asked")
    if claimed_at is None:
        send_task_on_commit(ERASE_USERS)
    return erasure


def claim_erasure(*, now: datetime) -> Erasure | None:
    """Take an erasure that waits, or that a worker left, so that no other works on it meanwhile."""
    free = Erasure.objects.filter(done_at=None, workspace__closed_at=None).filter(
        Q(claimed_until=None) | Q(claimed_until__lt=now)
    )
    with transaction.atomic():
        locked = free.select_for_update(of=("self",), skip_locked=True)
        erasure = locked.select_related("workspace").order_by("created_at").first()
        if erasure is not None:
            Erasure.objects.filter(pk=erasure.pk).update(claimed_until=now + CLAIM_DURATION)
    return erasure


@transaction.atomic
def finish_erasure(
    *, erasure: Erasure, conversations: int, leads: int, actor: Actor, now: datetime
) -> bool:
    """Write down that it is done, and forget whom it was about; False if it was before."""
    waiting = Erasure.objects.filter(pk=erasure.pk, done_at=None)
    done = {"done_at": now, "user_id": "", "conversations": conversations, "leads": leads}
    if not waiting.update(**done, claimed_until=None):
        return False
    _record(erasure, actor, "end_user.erased", conversations=conversations, leads=leads)
    return True


def _record(erasure: Erasure, actor: Actor, action: str, **counts: int) -> None:
    record(
        workspace_id=erasure.workspace_id,
        actor=actor,
        action=action,
        target_id=erasure.id,
        details=counts,
    )
