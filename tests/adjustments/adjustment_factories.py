"""Staff users and their adjustments."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
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
from tests.factories import Team, make_user


def make_staff(group: str) -> User:
    """A member of the staff, in one group."""
    user = make_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def make_line(workspace: Workspace, credits: int, **fields: Any) -> LineData:
    """Make a correction, which may add and deduct."""
    values = {"category": "correction", "reason": "Counted twice", **fields}
    return LineData(workspace_id=workspace.id, credits=credits, **values)


def submit_lines(user: User, *lines: LineData, id: str = "", **fields: Any) -> Adjustment:
    """Submit these lines as the user, right after previewing them."""
    fingerprint = preview_adjustment(lines=lines, user=user).fingerprint
    return submit(
        lines=lines,
        user=user,
        actor=staff_actor(user),
        adjustment_id=id or new_id(),
        fingerprint=fingerprint,
        **fields,
    )


def make_posted_adjustment(workspace: Workspace, credits: int, **fields: Any) -> Adjustment:
    """Post an adjustment by finance, which must be below the threshold."""
    return submit_lines(make_staff("finance"), make_line(workspace, credits, **fields))


def make_pending_adjustment(workspace: Workspace, credits: int, **fields: Any) -> Adjustment:
    """Submit an adjustment by finance, which must be above the threshold."""
    return submit_lines(make_staff("finance"), make_line(workspace, credits, **fields))


def submit_errors(user: User, *lines: Any) -> list[str]:
    """Return the preview's errors, and check that submitting fails with the same preview."""
    preview = preview_adjustment(lines=lines, user=user)
    before = LedgerEntry.objects.count()
    with pytest.raises(AdjustmentRefused) as caught:
        submit_lines(user, *lines)
    assert (caught.value.preview.lines, LedgerEntry.objects.count()) == (preview.lines, before)
    return [error for each in preview.lines for error in each.errors]


def approve_as(adjustment: Adjustment, user: User) -> Adjustment:
    """Approve the adjustment as it is now."""
    fingerprint = preview_adjustment(
        lines=lines_for(adjustment), user=adjustment.requested_by
    ).fingerprint
    return approve(
        adjustment_id=adjustment.id, user=user, actor=staff_actor(user), fingerprint=fingerprint
    )


def set_approved(adjustment: Adjustment, user: User) -> None:
    """Approve the row directly, without the services."""
    fields = {"status": "approved", "decided_by": user, "decided_at": timezone.now()}
    Adjustment.objects.filter(id=adjustment.id).update(**fields)


def client_for(user: User) -> Client:
    """Return a signed-in client with a known IP address."""
    client = Client(REMOTE_ADDR="192.0.2.7")
    client.force_login(user)
    return client


def amounts(team: Team) -> list[int]:
    """Return the amounts of the workspace's ledger entries, oldest first."""
    entries = LedgerEntry.objects.filter(workspace=team.workspace).order_by("created_at", "id")
    return list(entries.values_list("amount", flat=True))
