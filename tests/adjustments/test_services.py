"""Submitting adjustments: permissions, limits and idempotency."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.adjustments.errors import FileAlreadyPosted, PreviewOutdated
from apps.adjustments.models import Adjustment, AdjustmentLine
from apps.adjustments.previews import preview_adjustment
from apps.adjustments.services import decline, submit
from apps.audit.models import AuditEntry
from apps.audit.services import staff_actor
from apps.core.ids import new_id
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from apps.credits.services import hold
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services import add_member
from tests.adjustments.adjustment_factories import (
    make_line,
    make_pending_adjustment,
    make_posted_adjustment,
    make_staff,
    set_approved,
    submit_errors,
    submit_lines,
)
from tests.factories import Team, grant_credits, make_user, make_workspace

pytestmark = pytest.mark.usefixtures("limits")


def test_adjustment_posts_an_entry_with_its_details(team: Team) -> None:
    finance = make_staff("finance")
    until = timezone.now() + timedelta(days=30)
    wanted = make_line(
        team.workspace, 40, category="promotion", reason="Spring", reference="P-7", expires_at=until
    )
    made = submit_lines(finance, wanted)
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace, category="promotion")
    assert (entry.kind, entry.amount, entry.reason) == ("adjustment", 40, "Spring")
    assert (entry.reference, entry.expires_at, entry.created_by) == ("P-7", until, finance)
    assert (made.status, made.lines.get().entry) == ("posted", entry)
    (logged,) = AuditEntry.objects.filter(workspace=team.workspace, action="adjustment.posted")
    assert (logged.actor_label, logged.target_id) == (finance.email, made.id)
    assert balance_for(team.workspace.id).balance == ledger_sum(team.workspace.id)


@pytest.mark.parametrize(
    ("category", "credits", "kind"),
    [
        ("purchase", 5, "purchase"),
        ("goodwill", 5, "adjustment"),
        ("correction", 5, "adjustment"),
        ("correction", -5, "adjustment"),
    ],
)
def test_entry_kind_depends_on_the_category(
    team: Team, category: str, credits: int, kind: str
) -> None:
    grant_credits(team.workspace, 10)
    entry = make_posted_adjustment(team.workspace, credits, category=category).lines.get().entry
    assert entry is not None
    assert (entry.kind, entry.category, entry.amount) == (kind, category, credits)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": " "}, "Enter a reason."),
        ({"credits": 10**13}, "Enter 1 to 1,000,000,000,000 credits."),
        (
            {"credits": -1, "category": "goodwill"},
            "Only corrections can deduct credits.",
        ),
        (
            {"credits": -1, "expires_at": timezone.now() + timedelta(days=1)},
            "Deducted credits can't have an expiry.",
        ),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "The expiry is in the past."),
    ],
)
def test_invalid_line_is_rejected_with_a_reason(
    team: Team, fields: dict[str, Any], sentence: str
) -> None:
    grant_credits(team.workspace, 100)
    wanted = make_line(team.workspace, fields.pop("credits", 5), **fields)
    assert submit_errors(make_staff("finance"), wanted) == [sentence]


def test_only_free_credits_can_be_deducted(team: Team) -> None:
    grant_credits(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=4)
    assert submit_errors(make_staff("finance"), make_line(team.workspace, -7)) == [
        "Only 6 credits can be deducted: the balance is 10, of which 4 are reserved."
    ]
    assert submit_lines(make_staff("finance"), make_line(team.workspace, -6)).status == "posted"


def test_own_workspace_cannot_be_adjusted(team: Team) -> None:
    boss = make_user("boss", is_staff=True, is_superuser=True)
    add_member(workspace=team.workspace, user=boss, role=Role.VIEWER)
    slug = team.workspace.slug
    assert submit_errors(boss, make_line(team.workspace, 5)) == [
        f"You belong to {slug}. Another staff member must adjust its credits."
    ]
    assert submit_lines(boss, make_line(team.other_workspace, 5)).status == "posted"


def test_triggers_reject_adjusting_the_own_workspace(team: Team) -> None:
    mine = {"workspace": team.workspace, "created_by": team.bob}
    with pytest.raises(DatabaseError, match="belong to"), transaction.atomic():
        LedgerEntry.objects.create(kind="adjustment", amount=1, balance_after=1, **mine)
    adjustment = Adjustment.objects.create(status="posted", requested_by=team.bob)
    fields: dict[str, Any] = {"adjustment": adjustment, "credits": 1, "category": "correction"}
    with pytest.raises(DatabaseError, match="belong to"), transaction.atomic():
        AdjustmentLine.objects.create(workspace=team.workspace, reason="x", **fields)
    request = make_pending_adjustment(team.workspace, 2000)
    with pytest.raises(DatabaseError, match="belong to"), transaction.atomic():
        set_approved(request, team.bob)


def test_closed_workspace_cannot_be_adjusted(team: Team) -> None:
    now = timezone.now()
    Workspace.objects.filter(pk=team.workspace.pk).update(deletion_due_at=now, closed_at=now)
    assert submit_errors(make_staff("finance"), make_line(team.workspace, 5)) == [
        f"{team.workspace.slug} was closed on {now:%d %B %Y}."
    ]


@pytest.mark.parametrize("group", ["operator", "auditor"])
def test_other_staff_groups_cannot_adjust(team: Team, group: str) -> None:
    assert submit_errors(make_staff(group), make_line(team.workspace, 5)) == [
        "You don't have permission to adjust credits."
    ]


def test_former_staff_cannot_adjust(team: Team) -> None:
    gone = make_staff("finance")
    gone.is_staff = False
    assert submit_errors(gone, make_line(team.workspace, 5)) == ["Only staff can adjust credits."]


def test_support_gives_goodwill_up_to_the_limit(team: Team) -> None:
    support, other = make_staff("support"), make_staff("support")
    nothing_else = ["You can only give goodwill. Ask finance for anything else."]
    for category in ("correction", "purchase", "promotion"):
        assert (
            submit_errors(support, make_line(team.workspace, 5, category=category)) == nothing_else
        )
    submit_lines(support, make_line(team.workspace, 30, category="goodwill"))
    wanted = make_line(team.workspace, 21, category="goodwill")
    limit = "Support can give a workspace up to 50 goodwill credits in 30 days"
    assert submit_errors(other, wanted) == [f"{limit}; 20 left. Ask finance for more."]
    assert (
        submit_lines(other, make_line(team.workspace, 20, category="goodwill")).status == "posted"
    )
    assert (
        submit_lines(other, make_line(team.other_workspace, 50, category="goodwill")).status
        == "posted"
    )
    assert submit_lines(make_staff("finance"), wanted).status == "posted"


def test_same_confirmation_posts_once(team: Team) -> None:
    finance, id = make_staff("finance"), new_id()
    wanted = make_line(team.workspace, 5)
    fingerprint = preview_adjustment(lines=[wanted], user=finance).fingerprint
    sent: dict[str, Any] = {"lines": [wanted], "user": finance, "actor": staff_actor(finance)}
    first, second = (submit(**sent, adjustment_id=id, fingerprint=fingerprint) for _ in range(2))
    assert (first, balance_for(team.workspace.id).balance) == (second, 5)


def test_outdated_preview_is_not_posted(team: Team) -> None:
    finance = make_staff("finance")
    wanted = make_line(team.workspace, 5)
    fingerprint = preview_adjustment(lines=[wanted], user=finance).fingerprint
    grant_credits(team.workspace, 1)
    with pytest.raises(PreviewOutdated) as caught:
        submit(
            lines=[wanted],
            user=finance,
            actor=staff_actor(finance),
            adjustment_id=new_id(),
            fingerprint=fingerprint,
        )
    (preview_line,) = caught.value.preview.lines
    assert (preview_line.balance_before.balance, preview_line.balance_after) == (1, 6)
    assert balance_for(team.workspace.id).balance == 1


def test_file_is_posted_once_unless_declined(team: Team) -> None:
    finance = make_staff("finance")
    file = {"file_name": "a.csv", "file_digest": "abc"}
    made = submit_lines(finance, make_line(team.workspace, 5), **file)
    when = f"{made.requested_at:%d %B %Y, %H:%M}"
    with pytest.raises(FileAlreadyPosted) as caught:
        submit_lines(make_staff("finance"), make_line(team.workspace, 5), **file)
    assert str(caught.value) == (
        f"This file was posted on {when} UTC, uploaded by {finance.email}."
        " Nothing was posted again."
    )
    other = {"file_name": "b.csv", "file_digest": "def"}
    request = submit_lines(finance, make_line(team.other_workspace, 2000), **other)
    with pytest.raises(FileAlreadyPosted, match="has been awaiting approval since"):
        submit_lines(finance, make_line(team.other_workspace, 2000), **other)
    boss = make_staff("finance")
    decline(adjustment_id=request.id, user=boss, actor=staff_actor(boss), reason="no")
    assert submit_lines(finance, make_line(team.other_workspace, 2000), **other).status == "pending"


def test_all_lines_are_posted_or_none(team: Team) -> None:
    finance = make_staff("finance")
    grant_credits(team.workspace, 10)
    lines = [make_line(team.other_workspace, 5), make_line(team.workspace, -11, number=2)]
    assert len(submit_errors(finance, *lines)) == 1
    assert balance_for(team.other_workspace.id).balance == 0
    third = make_workspace()
    submit_lines(
        finance,
        make_line(team.other_workspace, 5),
        make_line(team.workspace, -10),
        make_line(third, 7),
    )
    places = (team.other_workspace, team.workspace, third)
    assert [balance_for(each.id).balance for each in places] == [5, 0, 7]


FORBIDDEN_STATEMENTS = (
    "UPDATE adjustments_adjustment SET requested_at = now()",
    "UPDATE adjustments_adjustment SET status = 'posted', lapses_at = NULL",
    "UPDATE adjustments_adjustmentline SET credits = credits + 1",
    "UPDATE adjustments_adjustmentline SET entry_id = NULL",
    "DELETE FROM adjustments_adjustmentline",
    "DELETE FROM adjustments_adjustment",
    "TRUNCATE adjustments_adjustment CASCADE",
    "TRUNCATE adjustments_adjustmentline",
)


@pytest.mark.parametrize("statement", FORBIDDEN_STATEMENTS)
def test_triggers_reject_changes(team: Team, statement: str) -> None:
    make_posted_adjustment(team.workspace, 5)
    make_pending_adjustment(team.other_workspace, 2000)
    rows = list(Adjustment.objects.order_by("id").values())
    lines = list(AdjustmentLine.objects.order_by("id").values())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(Adjustment.objects.order_by("id").values()) == rows
    assert list(AdjustmentLine.objects.order_by("id").values()) == lines
