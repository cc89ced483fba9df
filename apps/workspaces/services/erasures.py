"""Erasure requests for one end user's data.

The user id is personal data: it is never logged, and it is cleared when the erasure is done.
"""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, F, Min, QuerySet

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


@transaction.atomic
def claim_erasure(*, now: datetime) -> Erasure | None:
    """Claim an erasure that is unclaimed or whose claim has expired, or return None.

    Workspaces take turns: next is the oldest of the one with the fewest done lately. One of a
    workspace is carried out at a time, so that others have workers left.
    """
    with connection.cursor() as cursor:  # so that each claim sees those before it
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('erasures', 3))")
    waiting = Erasure.objects.filter(done_at=None, workspace__closed_at=None)
    busy = waiting.filter(claimed_until__gte=now).values("workspace")
    unclaimed = waiting.exclude(workspace__in=busy)
    for workspace_id in _workspaces_in_turn(unclaimed, now):
        of_workspace = unclaimed.filter(workspace=workspace_id).select_related("workspace")
        erasure = lock_first(of_workspace, "created_at")
        if erasure is not None:
            Erasure.objects.filter(pk=erasure.pk).update(claimed_until=now + CLAIM_DURATION)
            return erasure
    return None


def record_progress(*, erasure: Erasure, conversations: int, leads: int) -> None:
    """Add what was erased to the erasure's counts."""
    counts = {"conversations": F("conversations") + conversations, "leads": F("leads") + leads}
    Erasure.objects.filter(pk=erasure.pk).update(**counts)


def release_erasure(*, erasure: Erasure) -> None:
    """End the claim of an erasure that is not complete: it waits for its next turn."""
    Erasure.objects.filter(pk=erasure.pk, done_at=None).update(claimed_until=None)


def _workspaces_in_turn(unclaimed: QuerySet[Erasure], now: datetime) -> list[str]:
    """Return the workspaces of these erasures, the one served least in the last minutes first."""
    waiting = unclaimed.values_list("workspace").annotate(oldest=Min("created_at"))
    done = Erasure.objects.filter(done_at__gte=now - CLAIM_DURATION)
    counts = done.values_list("workspace").annotate(count=Count("pk"))
    served = dict(counts)
    in_turn = sorted((served.get(id, 0), oldest, id) for id, oldest in waiting)
    return [workspace_id for _, _, workspace_id in in_turn]


@transaction.atomic
def finish_erasure(*, erasure: Erasure, actor: Actor, now: datetime) -> bool:
    """Mark the erasure as done and clear its user id. Return False if it was done already."""
    pending = Erasure.objects.filter(pk=erasure.pk, done_at=None)
    if not pending.update(done_at=now, user_id="", claimed_until=None):
        return False
    erasure.refresh_from_db()
    counts = {"conversations": erasure.conversations, "leads": erasure.leads}
    record_change(erasure, actor=actor, action="end_user.erased", **counts)
    return True
