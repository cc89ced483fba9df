"""Two-person approval: threshold, permissions, deadline."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction
from pytest_django import Settings

from apps.adjustments.errors import AdjustmentRefused, DecisionNotAllowed, PreviewOutdated
from apps.adjustments.lines import lines_for
from apps.adjustments.previews import preview_adjustment
from apps.adjustments.services import approve, decline, expire_requests
from apps.audit.models import AuditEntry
from apps.audit.services import staff_actor
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for
from apps.credits.services import hold
from apps.workspaces.models import Role
from apps.workspaces.services import add_member
from tests.adjustments.adjustment_factories import (
    approve_as,
    make_line,
    make_pending_adjustment,
    make_posted_adjustment,
    make_staff,
    set_approved,
    submit_lines,
)
from tests.factories import Team, grant_credits, make_user

pytestmark = pytest.mark.usefixtures("limits")


def test_approval_posts_a_pending_adjustment(team: Team) -> None:
    request, finance = make_pending_adjustment(team.workspace, 1001), make_staff("finance")
    before = LedgerEntry.objects.filter(workspace=team.workspace).count()
    assert (request.status, request.lines.get().entry) == ("pending", None)
    approve_as(request, finance)
    request.refresh_from_db()
    assert (request.status, request.decided_by) == ("approved", finance)
    entry = request.lines.get().entry
    assert entry is not None
    assert (entry.amount, entry.created_by) == (1001, request.requested_by)
    assert LedgerEntry.objects.filter(workspace=team.workspace).count() == before + 1
    log = AuditEntry.objects.filter(target_id=request.id).order_by("created_at", "id")
    assert sorted((each.action, each.actor_label, each.workspace) for each in log) == sorted(
        [
            ("adjustment.requested", request.requested_by.email, team.workspace),
            ("adjustment.approved", finance.email, team.workspace),
            ("adjustment.posted", finance.email, team.workspace),
        ]
    )


def test_split_adjustments_count_as_one_sum(team: Team) -> None:
    grant_credits(team.workspace, 1000)
    finance = make_staff("finance")
    assert submit_lines(finance, make_line(team.workspace, 600)).status == "posted"
    assert submit_lines(finance, make_line(team.workspace, -400)).status == "posted"
    assert submit_lines(finance, make_line(team.workspace, 1)).status == "pending"
    assert submit_lines(finance, make_line(team.other_workspace, 1000)).status == "posted"
    assert submit_lines(make_staff("finance"), make_line(team.workspace, 1000)).status == "posted"


def test_lines_above_the_threshold_in_total_are_pending(team: Team) -> None:
    finance = make_staff("finance")
    both = make_line(team.workspace, 500), make_line(team.other_workspace, 501, number=2)
    assert submit_lines(finance, *both, file_name="a.csv", file_digest="a").status == "pending"


def test_requester_cannot_approve(team: Team) -> None:
    request = make_pending_adjustment(team.workspace, 2000)
    with pytest.raises(DecisionNotAllowed, match="You requested this"):
        approve_as(request, request.requested_by)
    boss = make_user("boss", is_staff=True, is_superuser=True)
    own = submit_lines(boss, make_line(team.workspace, 2000))
    with pytest.raises(DecisionNotAllowed, match="You requested this"):
        approve_as(own, boss)
    with pytest.raises(DatabaseError, match="decided_by_another"), transaction.atomic():
        set_approved(own, boss)
    assert balance_for(team.workspace.id).balance == 0


def test_members_and_staff_without_permission_cannot_approve(team: Team) -> None:
    request = make_pending_adjustment(team.workspace, 2000)
    with pytest.raises(DecisionNotAllowed, match="have permission to review"):
        approve_as(request, make_staff("support"))
    insider = make_staff("finance")
    add_member(workspace=team.workspace, user=insider, role=Role.VIEWER)
    with pytest.raises(DecisionNotAllowed, match="You belong to a workspace"):
        approve_as(request, insider)


def test_approval_checks_the_rules_again(team: Team) -> None:
    grant_credits(team.workspace, 3000)
    request, finance = make_pending_adjustment(team.workspace, -2500), make_staff("finance")
    shown = preview_adjustment(lines=lines_for(request), user=request.requested_by).fingerprint
    make_posted_adjustment(team.workspace, -100)
    with pytest.raises(PreviewOutdated):
        approve(
            adjustment_id=request.id, user=finance, actor=staff_actor(finance), fingerprint=shown
        )
    hold(workspace_id=team.workspace.id, credits=401)
    with pytest.raises(AdjustmentRefused, match="Only 2,499 credits can be deducted"):
        approve_as(request, finance)
    request.requested_by.groups.clear()
    with pytest.raises(AdjustmentRefused, match="have permission to adjust"):
        approve_as(request, finance)
    request.refresh_from_db()
    assert (request.status, balance_for(team.workspace.id).balance) == ("pending", 2900)


def test_request_is_decided_once(team: Team) -> None:
    finance, other = make_staff("finance"), make_staff("finance")
    request = make_pending_adjustment(team.workspace, 2000)
    approve_as(request, finance)
    with pytest.raises(DecisionNotAllowed, match=f"{finance.email} approved this on"):
        approve_as(request, other)
    with pytest.raises(DecisionNotAllowed, match=f"{finance.email} approved this on"):
        decline(adjustment_id=request.id, user=other, actor=staff_actor(other), reason="no")
    assert balance_for(team.workspace.id).balance == 2000


def test_decline_requires_a_reason_and_posts_nothing(team: Team) -> None:
    request, finance = make_pending_adjustment(team.workspace, 2000), make_staff("finance")
    with pytest.raises(DecisionNotAllowed, match="Enter a reason"):
        decline(adjustment_id=request.id, user=finance, actor=staff_actor(finance), reason=" ")
    decline(adjustment_id=request.id, user=finance, actor=staff_actor(finance), reason="No invoice")
    request.refresh_from_db()
    assert (request.status, request.decision_reason) == ("declined", "No invoice")
    (logged,) = AuditEntry.objects.filter(target_id=request.id, action="adjustment.declined")
    assert (logged.actor_label, logged.details["reason"]) == (finance.email, "No invoice")
    assert balance_for(team.workspace.id).balance == 0


def test_requests_expire(team: Team, settings: Settings) -> None:
    settings.APPROVAL_DAYS = 0
    request = make_pending_adjustment(team.workspace, 2000)
    settings.APPROVAL_DAYS = 7
    later = make_pending_adjustment(team.other_workspace, 2000)
    with pytest.raises(DecisionNotAllowed, match="This expired on"):
        approve_as(request, make_staff("finance"))
    assert (expire_requests(), expire_requests()) == (1, 0)
    request.refresh_from_db()
    later.refresh_from_db()
    (logged,) = AuditEntry.objects.filter(target_id=request.id, action="adjustment.expired")
    assert (request.status, later.status, logged.actor_kind) == ("expired", "pending", "system")
