"""Erasure requests for one end user's data.

The user id is personal data: it is never logged, and it is cleared when the erasure is done.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Min, Q, QuerySet

from apps.accounts.models import User
from apps.audit.services import Actor, record_change
from apps.infrastructure.postgres.claims import lock_first
from apps.workspaces.models import Erasure, Workspace
from apps.workspaces.services.limits import lock_workspace
from apps.workspaces.signals import erasure_requested

CLAIM_DURATION = timedelta(minutes=10)
"""How long a worker has for one erasure before another worker may claim it."""


@transaction.atomic
def request_erasure(
    *,
    workspace: Workspace,
    user_id: str,
    actor: Actor,
    by: User | None = None,
    claimed_at: datetime | None = None,
) -> Erasure:
    """Request the erasure of an end user's data, by `metadata.userId`. Raises ValueError.

    `claimed_at` is set by a caller that erases the data itself. Otherwise `erasure_requested` is
    sent after the commit, so that a worker does it. Raises NotFound if the workspace is closed.
    """
    if not 1 <= len(user_id) <= Erasure.MAX_USER_ID_LENGTH:
        raise ValueError(f"A user id has 1 to {Erasure.MAX_USER_ID_LENGTH} characters.")
    lock_workspace(workspace_id=workspace.pk)
    claimed_until = claimed_at + CLAIM_DURATION if claimed_at else None
    erasure = Erasure.objects.create(
        workspace=workspace, user_id=user_id, asked_by=by, claimed_until=claimed_until
    )
    record_change(erasure, actor=actor, action="end_user.erasure_asked")
    if claimed_at is None:
        transaction.on_commit(lambda: erasure_requested.send(Erasure), robust=True)
    return erasure


def claim_erasure(*, now: datetime) -> Erasure | None:
    """Claim an erasure that is unclaimed or whose claim has expired, or return None.

    Workspaces take turns: next is the oldest of the one with the fewest claimed or done lately.
    """
    unclaimed = Erasure.objects.filter(done_at=None, workspace__closed_at=None).filter(
        Q(claimed_until=None) | Q(claimed_until__lt=now)
    )
    for workspace_id in _workspaces_in_turn(unclaimed, now):
        with transaction.atomic():
            of_workspace = unclaimed.filter(workspace=workspace_id).select_related("workspace")
            erasure = lock_first(of_workspace, "created_at")
            if erasure is not None:
                Erasure.objects.filter(pk=erasure.pk).update(claimed_until=now + CLAIM_DURATION)
                return erasure
    return None


def _workspaces_in_turn(unclaimed: QuerySet[Erasure], now: datetime) -> list[str]:
    """Return the workspaces of these erasures, the one served least in the last minutes first."""
    waiting = unclaimed.values_list("workspace").annotate(oldest=Min("created_at"))
    lately = Q(claimed_until__gte=now) | Q(done_at__gte=now - CLAIM_DURATION)
    counts = Erasure.objects.filter(lately).values_list("workspace").annotate(count=Count("pk"))
    served = dict(counts)
    in_turn = sorted((served.get(id, 0), oldest, id) for id, oldest in waiting)
    return [workspace_id for _, _, workspace_id in in_turn]


@transaction.atomic
def finish_erasure(
    *, erasure: Erasure, conversations: int, leads: int, actor: Actor, now: datetime
) -> bool:
    """Mark the erasure as done and clear its user id. Return False if it was done already."""
    pending = Erasure.objects.filter(pk=erasure.pk, done_at=None)
    counts = {"conversations": conversations, "leads": leads}
    if not pending.update(done_at=now, user_id="", claimed_until=None, **counts):
        return False
    record_change(erasure, actor=actor, action="end_user.erased", **counts)
    return True
