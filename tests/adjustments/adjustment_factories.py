"""Staff, and what they ask for."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from apps.accounts.models import User
from apps.adjustments.errors import AdjustmentRefused
from apps.adjustments.lines import LineData, lines_for
from apps.adjustments.models import Adjustment
from apps.adjustments.previews import preview_adjustment
from apps.adjustments.services import approve, submit
from apps.audit.services import staff_actor
from apps.core.ids import new_id
from apps.credits.models import LedgerEntry
from apps.workspaces.models import Workspace
from tests.factories import make_user


def make_staff(group: str) -> User:
    """A member of the staff, in one group."""
    user = make_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def make_line(workspace: Workspace, credits: int, **fields: Any) -> LineData:
    """A line of the kind that may give and take."""
    named = {"category": "correction", "reason": "Counted twice", **fields}
    return LineData(workspace_id=workspace.id, credits=credits, **named)


def submit_lines(by: User, *lines: LineData, id: str = "", **named: Any) -> Adjustment:
    """What comes of these lines, asked for by this person who has just seen what they come to."""
    fingerprint = preview_adjustment(lines=lines, user=by).fingerprint
    return submit(
        lines=lines,
        user=by,
        actor=staff_actor(by),
        adjustment_id=id or new_id(),
        fingerprint=fingerprint,
        **named,
    )


def make_posted_adjustment(workspace: Workspace, credits: int, **fields: Any) -> Adjustment:
    """An adjustment by somebody of finance, below the threshold."""
    return submit_lines(make_staff("finance"), make_line(workspace, credits, **fields))


def make_pending_adjustment(workspace: Workspace, credits: int, **fields: Any) -> Adjustment:
    """One that waits for a second person."""
    return submit_lines(make_staff("finance"), make_line(workspace, credits, **fields))


def submit_errors(by: User, *lines: Any) -> list[str]:
    """What is in the way of these lines; posting them is refused with the same words."""
    preview = preview_adjustment(lines=lines, user=by)
    before = LedgerEntry.objects.count()
    with pytest.raises(AdjustmentRefused) as caught:
        submit_lines(by, *lines)
    assert (caught.value.preview.lines, LedgerEntry.objects.count()) == (preview.lines, before)
    return [sentence for each in preview.lines for sentence in each.errors]


def approve_as(adjustment: Adjustment, by: User) -> Adjustment:
    """The request, approved as it stands."""
    fingerprint = preview_adjustment(
        lines=lines_for(adjustment), user=adjustment.requested_by
    ).fingerprint
    return approve(
        adjustment_id=adjustment.id, user=by, actor=staff_actor(by), fingerprint=fingerprint
    )


def set_approved(request: Adjustment, by: User) -> None:
    """Approved in the row alone, past every service."""
    fields = {"status": "approved", "decided_by": by, "decided_at": timezone.now()}
    Adjustment.objects.filter(id=request.id).update(**fields)
