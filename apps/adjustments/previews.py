"""Preview an adjustment: the resulting balances and every rule that forbids it.

Posting applies the same preview again under locks, so the page and the posting cannot disagree.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from apps.accounts.models import User
from apps.adjustments.lines import LineData
from apps.adjustments.models import ADJUST_PERMISSION, GOODWILL_PERMISSION
from apps.adjustments.queries import (
    GOODWILL_DAYS,
    goodwill_given,
    member_workspace_ids,
)
from apps.credits.models import MAX_CREDITS, Category, LedgerEntry
from apps.credits.queries import Balance, balances_for
from apps.credits.two_person_rule import WINDOW_HOURS, credits_moved_alone
from apps.infrastructure.postgres.clock import database_now
from apps.workspaces.models import Workspace


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """The balance before and after one line, and the rules that forbid the line."""

    line: LineData
    workspace: Workspace
    balance_before: Balance
    errors: Sequence[str] = ()

    @property
    def balance_after(self) -> int:
        """The balance after the line is posted."""
        return self.balance_before.balance + self.line.credits


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of all lines, and why a second person must approve them (empty if none must)."""

    lines: Sequence[PreviewLine]
    approval_reasons: Sequence[str] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether no line has an error."""
        return not any(line.errors for line in self.lines)

    @property
    def fingerprint(self) -> str:
        """A hash of the preview, named by a confirmation, so that a changed one is not posted."""
        parts = [
            (each.line.workspace_id, each.line.credits, each.balance_before.balance)
            for each in self.lines
        ]
        return hashlib.sha256(repr((parts, bool(self.approval_reasons))).encode()).hexdigest()


def preview_adjustment(*, lines: Sequence[LineData], user: User) -> Preview:
    """Return what posting these lines as `user` would do now. Changes nothing."""
    ids = [line.workspace_id for line in lines]
    workspaces = {workspace.pk: workspace for workspace in Workspace.objects.filter(pk__in=ids)}
    balances = balances_for(ids)
    own_ids = member_workspace_ids(user, ids)
    entries = _entries_to_reverse(lines)
    goodwill = {} if user.has_perm(ADJUST_PERMISSION) else goodwill_given(ids)
    now = database_now()
    preview_lines = []
    for line in lines:
        balance = balances.get(line.workspace_id, Balance(0, 0))
        workspace = workspaces[line.workspace_id]
        errors = [
            *_workspace_errors(workspace, own_ids),
            *_value_errors(line, now),
            *_permission_errors(line, user, goodwill.get(line.workspace_id, 0)),
            *_balance_errors(line, balance),
            *_reversal_errors(line, entries),
        ]
        preview_lines.append(PreviewLine(line, workspace, balance, errors))
    return Preview(preview_lines, _approval_reasons(lines, user))


def _workspace_errors(workspace: Workspace, own_ids: Collection[str]) -> list[str]:
    errors = []
    if workspace.pk in own_ids:
        errors.append(
            f"You belong to {workspace.slug}. Another staff member must adjust its credits."
        )
    if workspace.closed_at:
        errors.append(f"{workspace.slug} was closed on {workspace.closed_at:%d %B %Y}.")
    return errors


def _value_errors(line: LineData, now: datetime) -> list[str]:
    errors = []
    if line.credits == 0 or abs(line.credits) > MAX_CREDITS:
        errors.append(f"Enter 1 to {MAX_CREDITS:,} credits.")
    if not line.reason.strip():
        errors.append("Enter a reason.")
    if line.credits < 0 and line.category != Category.CORRECTION:
        errors.append("Only corrections can deduct credits.")
    if line.credits < 0 and line.expires_at:
        errors.append("Deducted credits can't have an expiry.")
    if line.expires_at and line.expires_at <= now:
        errors.append("The expiry is in the past.")
    return errors


def _permission_errors(line: LineData, user: User, goodwill: int) -> list[str]:
    """Check permissions. `goodwill`: credits given to the workspace within GOODWILL_DAYS."""
    if not (user.is_active and user.is_staff):
        return ["Only staff can adjust credits."]
    if user.has_perm(ADJUST_PERMISSION):
        return []
    if not user.has_perm(GOODWILL_PERMISSION):
        return ["You don't have permission to adjust credits."]
    if line.category != Category.GOODWILL or line.reverses_id:
        return ["You can only give goodwill. Ask finance for anything else."]
    left = max(0, int(settings.GOODWILL_LIMIT) - goodwill)
    if line.credits > left:
        limit = f"up to {settings.GOODWILL_LIMIT:,} goodwill credits in {GOODWILL_DAYS} days"
        return [f"Support can give a workspace {limit}; {left:,} left. Ask finance for more."]
    return []


def _balance_errors(line: LineData, balance: Balance) -> list[str]:
    free = balance.balance - balance.held
    if free + line.credits >= 0:
        return []
    reason = f"the balance is {balance.balance:,}, of which {balance.held:,} are reserved"
    return [f"Only {free:,} credits can be deducted: {reason}."]


def _reversal_errors(line: LineData, entries: Mapping[str, tuple[LedgerEntry, bool]]) -> list[str]:
    if line.reverses_id is None:
        return []
    entry, is_reversed = entries.get(line.reverses_id, (None, False))
    if entry is None or entry.workspace_id != line.workspace_id:
        return ["Entry not found in this workspace's ledger."]
    if entry.reverses_id:
        return ["A reversal can't be reversed. Post an adjustment instead."]
    if is_reversed:
        return ["This entry was already reversed."]
    if line.credits != -entry.amount or line.category != Category.CORRECTION:
        return ["A reversal must match its entry exactly."]
    return []


def _entries_to_reverse(lines: Sequence[LineData]) -> dict[str, tuple[LedgerEntry, bool]]:
    """Map the id of each entry to reverse to the entry and whether it is reversed already."""
    ids = [line.reverses_id for line in lines if line.reverses_id]
    if not ids:
        return {}
    reversals = LedgerEntry.objects.filter(reverses_id__in=ids)
    reversed_ids = set(reversals.values_list("reverses_id", flat=True))
    return {
        entry.pk: (entry, entry.pk in reversed_ids)
        for entry in LedgerEntry.objects.filter(pk__in=ids)
    }


def _approval_reasons(lines: Sequence[LineData], user: User) -> list[str]:
    """Return why a second person must approve: `credits.two_person_rule`, and a file's total."""
    threshold = int(settings.APPROVAL_ABOVE)
    sums = Counter({line.workspace_id: abs(line.credits) for line in lines})
    reasons = []
    if any(credits > threshold for credits in sums.values()):
        reasons.append(f"Moves more than {threshold:,} credits in one workspace.")
    elif any(
        credits + sums[workspace_id] > threshold
        for workspace_id, credits in credits_moved_alone(user, sums).items()
    ):
        reasons.append(
            f"Together with what you moved in the last {WINDOW_HOURS} hours,"
            f" moves more than {threshold:,} credits in one workspace."
        )
    if len(lines) > 1 and sums.total() > threshold:
        reasons.append(
            f"The file moves {sums.total():,} credits in total, more than {threshold:,}."
        )
    return reasons
