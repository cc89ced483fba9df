"""What an adjustment would do, foreseen by the same rules that later post it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.utils import timezone

from apps.accounts.models import User
from apps.adjustments.models import POSTED_STATUSES, Adjustment, AdjustmentLine, Status
from apps.credits.models import Category, LedgerEntry
from apps.credits.queries import Balance, balances_for
from apps.credits.services import MAX_CREDITS
from apps.workspaces.models import Member, Workspace

ADJUST_PERMISSION = "adjustments.adjust_credits"
GOODWILL_PERMISSION = "adjustments.give_goodwill"
APPROVE_PERMISSION = "adjustments.approve_adjustment"

GOODWILL_DAYS = 30
"""Goodwill to a workspace is counted over so many days, whoever of the staff gave it."""
SPLIT_WINDOW_HOURS = 24
"""What one person posts to one workspace within so many hours counts as one sum."""


@dataclass(frozen=True, slots=True)
class LineData:
    """One workspace's part of what is asked for. `credits` are taken where negative."""

    workspace_id: str
    credits: int
    category: str
    reason: str
    reference: str = ""
    expires_at: datetime | None = None
    reverses_id: str | None = None
    number: int = 1

    @property
    def last_day(self) -> date | None:
        """The last day (UTC) on which the credits can be used."""
        return (self.expires_at - timedelta(microseconds=1)).date() if self.expires_at else None


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """What a line would do: the balance before and after, and every rule that is against it."""

    line: LineData
    workspace: Workspace
    balance_before: Balance
    errors: Sequence[str] = ()

    @property
    def balance_after(self) -> int:
        """The balance once the line is posted."""
        return self.balance_before.balance + self.line.credits


@dataclass(frozen=True, slots=True)
class ConfirmedPreview:
    """What all lines together would do, and why a second person has to agree, if one has to."""

    lines: Sequence[PreviewLine]
    approval_reasons: Sequence[str] = field(default=())

    @property
    def is_allowed(self) -> bool:
        """Whether no rule is against any line."""
        return not any(line.errors for line in self.lines)

    @property
    def fingerprint(self) -> str:
        """Equal for two outlooks that come to the same: what a confirmation is bound to."""
        parts = [
            (each.line.workspace_id, each.line.credits, each.balance_before.balance)
            for each in self.lines
        ]
        return hashlib.sha256(repr((parts, bool(self.approval_reasons))).encode()).hexdigest()


def preview_adjustment(*, lines: Sequence[LineData], user: User) -> ConfirmedPreview:
    """What would happen if this person posted these lines now. Changes nothing."""
    ids = [line.workspace_id for line in lines]
    workspaces = {each.pk: each for each in Workspace.objects.filter(pk__in=ids)}
    balances = balances_for(ids)
    own = member_workspace_ids(user, ids)
    reversed_ = _entries_to_reverse(lines)
    goodwill = _goodwill_given(ids) if _only_goodwill(user) else {}
    foreseen = []
    for line in lines:
        before = balances.get(line.workspace_id, Balance(0, 0))
        workspace = workspaces[line.workspace_id]
        wrong = [
            *_workspace_errors(workspace, own),
            *_value_errors(line),
            *_permission_errors(line, user, goodwill.get(line.workspace_id, 0)),
            *_balance_errors(line, before),
            *_reversal_errors(line, reversed_),
        ]
        foreseen.append(PreviewLine(line, workspace, before, wrong))
    return ConfirmedPreview(foreseen, _approval_reasons(lines, user))


def member_workspace_ids(user: User, workspace_ids: Collection[str]) -> set[str]:
    """Those of the workspaces that the person belongs to."""
    members = Member.objects.filter(user=user, workspace_id__in=workspace_ids)
    return set(members.values_list("workspace_id", flat=True))


def goodwill_left(workspace_id: str) -> int:
    """How much goodwill support may still give to the workspace."""
    given = _goodwill_given([workspace_id]).get(workspace_id, 0)
    return max(0, int(settings.GOODWILL_LIMIT) - given)


def pending_adjustments() -> QuerySet[Adjustment]:
    """What waits for a second person, the one that lapses first first."""
    pending = Adjustment.objects.filter(status=Status.PENDING, lapses_at__gt=timezone.now())
    return pending.select_related("requested_by").order_by("lapses_at")


def lines_for(adjustment: Adjustment) -> list[LineData]:
    """What was asked for, as it was asked for."""
    return [
        LineData(
            workspace_id=line.workspace_id,
            credits=line.credits,
            category=line.category,
            reason=line.reason,
            reference=line.reference,
            expires_at=line.expires_at,
            reverses_id=line.reverses_id,
            number=line.number,
        )
        for line in adjustment.lines.order_by("number")
    ]


def _workspace_errors(workspace: Workspace, own: Collection[str]) -> list[str]:
    wrong = []
    if workspace.pk in own:
        wrong.append(f"You belong to {workspace.slug}. Somebody else has to adjust its credits.")
    if workspace.closed_at:
        wrong.append(f"{workspace.slug} was closed on {workspace.closed_at:%d %B %Y}.")
    return wrong


def _value_errors(line: LineData) -> list[str]:
    wrong = []
    if line.credits == 0 or abs(line.credits) > MAX_CREDITS:
        wrong.append(f"Move between 1 and {MAX_CREDITS:,} credits.")
    if not line.reason.strip():
        wrong.append("Give a reason.")
    if line.credits < 0 and line.category != Category.CORRECTION:
        wrong.append(f"Only a correction takes credits; a {line.category} gives them.")
    if line.credits < 0 and line.expires_at:
        wrong.append("Credits that are taken do not expire.")
    if line.expires_at and line.expires_at <= timezone.now():
        wrong.append("The expiry has passed.")
    return wrong


def _permission_errors(line: LineData, user: User, goodwill: int) -> list[str]:
    if not (user.is_active and user.is_staff):
        return ["Only staff adjust credits."]
    if user.has_perm(ADJUST_PERMISSION):
        return []
    if not user.has_perm(GOODWILL_PERMISSION):
        return ["You may not adjust credits."]
    if line.category != Category.GOODWILL or line.reverses_id:
        return ["You may give goodwill and nothing else. Ask somebody of finance."]
    left = max(0, int(settings.GOODWILL_LIMIT) - goodwill)
    if line.credits > left:
        limit = f"at most {settings.GOODWILL_LIMIT:,} credits of goodwill in {GOODWILL_DAYS} days"
        return [f"Support gives a workspace {limit}; {left:,} are left. Ask somebody of finance."]
    return []


def _balance_errors(line: LineData, before: Balance) -> list[str]:
    free = before.balance - before.held
    if free + line.credits >= 0:
        return []
    whole = f"the balance is {before.balance:,}, and running turns hold {before.held:,}"
    return [f"Only {free:,} credits are free to take: {whole}."]


def _reversal_errors(line: LineData, entries: Mapping[str, tuple[LedgerEntry, bool]]) -> list[str]:
    if line.reverses_id is None:
        return []
    entry, done = entries.get(line.reverses_id, (None, False))
    if entry is None or entry.workspace_id != line.workspace_id:
        return ["This workspace's ledger has no such entry."]
    if entry.reverses_id:
        return ["An entry that reverses another is not reversed. Post an adjustment."]
    if done:
        return ["This entry has been reversed before."]
    if line.credits != -entry.amount or line.category != Category.CORRECTION:
        return ["A reversal is the contrary of its entry, to the credit."]
    return []


def _entries_to_reverse(lines: Sequence[LineData]) -> dict[str, tuple[LedgerEntry, bool]]:
    ids = [line.reverses_id for line in lines if line.reverses_id]
    if not ids:
        return {}
    done = set(
        LedgerEntry.objects.filter(reverses_id__in=ids).values_list("reverses_id", flat=True)
    )
    return {entry.pk: (entry, entry.pk in done) for entry in LedgerEntry.objects.filter(pk__in=ids)}


def _only_goodwill(by: User) -> bool:
    return not by.has_perm(ADJUST_PERMISSION)


def _goodwill_given(workspace_ids: Collection[str]) -> dict[str, int]:
    """The goodwill that each workspace was given within the last days, whoever gave it."""
    since = timezone.now() - timedelta(days=GOODWILL_DAYS)
    given = AdjustmentLine.objects.filter(
        workspace_id__in=workspace_ids,
        category=Category.GOODWILL,
        adjustment__status__in=POSTED_STATUSES,
        adjustment__requested_at__gte=since,
    )
    return dict(given.values_list("workspace_id").annotate(sum=Sum("credits")))


def _approval_reasons(lines: Sequence[LineData], user: User) -> list[str]:
    """Why a second person has to agree: a sum above the threshold, whole or in pieces."""
    most = int(settings.APPROVAL_ABOVE)
    sums = Counter({line.workspace_id: abs(line.credits) for line in lines})
    why = []
    if any(moved > most for moved in sums.values()):
        why.append(f"More than {most:,} credits of one workspace are moved.")
    elif any(
        moved + sums[workspace_id] > most
        for workspace_id, moved in _recently_moved_by(user, sums).items()
    ):
        why.append(
            f"With what you posted in the last {SPLIT_WINDOW_HOURS} hours,"
            f" more than {most:,} credits of one workspace are moved."
        )
    if len(lines) > 1 and sums.total() > most:
        why.append(f"The file moves {sums.total():,} credits in all, more than {most:,}.")
    return why


def _recently_moved_by(user: User, workspace_ids: Collection[str]) -> dict[str, int]:
    since = timezone.now() - timedelta(hours=SPLIT_WINDOW_HOURS)
    moved = AdjustmentLine.objects.filter(
        Q(adjustment__requested_by=user, adjustment__requested_at__gte=since),
        workspace_id__in=workspace_ids,
        adjustment__status=Status.POSTED,
    )
    return dict(moved.values_list("workspace_id").annotate(sum=Sum(Abs("credits"))))
