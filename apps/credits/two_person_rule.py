"""The two-person rule: how many credits one member of staff may move in a workspace alone.

What somebody gives and takes within 24 hours counts as one sum, whichever way it is done: an
adjustment, a reversal, a line of a CSV file, an accepted request, a changed plan. `services` asks
for every ledger entry with an author, under the account's lock, so that no way goes past it.
Entries that a second person approved (`EntryApproval`) do not count.
"""

from collections.abc import Collection
from datetime import timedelta

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import Abs, Now

from apps.accounts.models import User
from apps.credits.errors import ApprovalRequired
from apps.credits.models import EntryKind, LedgerEntry

WINDOW_HOURS = 24
COMMAND_REFERENCE = "manage.py grant_credits"
"""The reference of entries by the command, which have no author."""


def credits_moved_alone(user: User, workspace_ids: Collection[str]) -> dict[str, int]:
    """Return how many credits, added or deducted, the user alone moved in each workspace lately."""
    entries = LedgerEntry.objects.filter(
        workspace_id__in=workspace_ids,
        created_by=user,
        approval=None,
        created_at__gte=Now() - timedelta(hours=WINDOW_HOURS),
    )
    return dict(entries.order_by().values_list("workspace_id").annotate(sum=Sum(Abs("amount"))))


def require_one_person_may_move(*, user: User, workspace_id: str, credits: int) -> None:
    """Raise ApprovalRequired if these credits, with what the user moved before, take two people.

    Call it with the account locked.
    """
    before = credits_moved_alone(user, [workspace_id]).get(workspace_id, 0)
    if before + abs(credits) > settings.APPROVAL_ABOVE:
        raise ApprovalRequired(settings.APPROVAL_ABOVE, WINDOW_HOURS)


def require_command_may_grant(*, workspace_id: str) -> None:
    """Raise ApprovalRequired if what the command gave lately should have named two people.

    Call it after the grant, in its transaction.
    """
    entries = LedgerEntry.objects.filter(
        workspace_id=workspace_id,
        kind=EntryKind.GRANT,
        reference=COMMAND_REFERENCE,
        created_by=None,
        created_at__gte=Now() - timedelta(hours=WINDOW_HOURS),
    )
    if (entries.aggregate(sum=Sum("amount"))["sum"] or 0) > settings.APPROVAL_ABOVE:
        raise ApprovalRequired(settings.APPROVAL_ABOVE, WINDOW_HOURS)
