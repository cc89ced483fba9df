"""Read adjustments."""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet, Sum
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.adjustments.models import POSTED_STATUSES, Adjustment, AdjustmentLine, Status
from apps.credits.models import Category
from apps.workspaces.models import Member

GOODWILL_DAYS = 30
"""The goodwill limit of a workspace counts what all staff gave it within this many days."""


def pending_adjustments() -> QuerySet[Adjustment]:
    """Return the adjustments that await approval, earliest deadline first."""
    pending = Adjustment.objects.filter(status=Status.PENDING, lapses_at__gt=Now())
    return pending.select_related("requested_by").order_by("lapses_at")


def member_workspace_ids(user: User, workspace_ids: Collection[str]) -> set[str]:
    """Return those of the workspaces that the user is a member of."""
    members = Member.objects.filter(user=user, workspace_id__in=workspace_ids)
    return set(members.values_list("workspace_id", flat=True))


def goodwill_given(workspace_ids: Collection[str]) -> dict[str, int]:
    """Return the goodwill credits that each workspace was given in the last GOODWILL_DAYS."""
    since = Now() - timedelta(days=GOODWILL_DAYS)
    lines = AdjustmentLine.objects.filter(
        workspace_id__in=workspace_ids,
        category=Category.GOODWILL,
        adjustment__status__in=POSTED_STATUSES,
        adjustment__requested_at__gte=since,
    )
    return dict(lines.values_list("workspace_id").annotate(sum=Sum("credits")))


def goodwill_left(workspace_id: str) -> int:
    """Return how many goodwill credits support may still give to the workspace."""
    given = goodwill_given([workspace_id]).get(workspace_id, 0)
    return max(0, int(settings.GOODWILL_LIMIT) - given)
