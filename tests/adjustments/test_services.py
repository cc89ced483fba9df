"""Adjusting credits: who may, how much, by whom else, and that it is posted once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.adjustments.models import Adjustment, AdjustmentLine
from apps.adjustments.queries import foresee, lines_of
from apps.adjustments.refusals import Differs, PostedBefore, Refused, Undecidable
from apps.adjustments.services import approve, decline, expire_requests, submit
from apps.audit.models import AuditEntry
from apps.audit.services import staff
from apps.core.ids import new_id
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_of, ledger_sum
from apps.credits.services import hold
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services import add_member
from tests.adjustments.asking import ask, asked, line, posted, staff_of
from tests.factories import Team, give, make_user, make_workspace


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.GOODWILL_LIMIT = 50
    settings.APPROVAL_ABOVE = 1000


def refusal(by: User, *lines: Any) -> list[str]:
    """What is in the way of these lines; posting them is refused with the same words."""
    outlook = foresee(lines=lines, by=by)
    before = LedgerEntry.objects.count()
    with pytest.raises(Refused) as caught:
        ask(by, *lines)
    assert (caught.value.outlook.lines, LedgerEntry.objects.count()) == (outlook.lines, before)
    return [sentence for each in outlook.lines for sentence in each.wrong]


def yes(adjustment: Adjustment, by: User) -> Adjustment:
    mark = foresee(lines=lines_of(adjustment), by=adjustment.requested_by).mark
    return approve(adjustment_id=adjustment.id, by=by, actor=staff(by), mark=mark)


def decided(request: Adjustment, by: User) -> None:
    """Approved in the row alone, past every service."""
    fields = {"status": "approved", "decided_by": by, "decided_at": timezone.now()}
    Adjustment.objects.filter(id=request.id).update(**fields)


def test_adjustment_is_one_ledger_entry_with_all_that_was_said(team: Team) -> None:
    finance = staff_of("finance")
    until = timezone.now() + timedelta(days=30)
    wanted = line(
        team.workspace, 40, category="promotion", reason="Spring", reference="P-7", expires_at=until
    )
    made = ask(finance, wanted)
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace, category="promotion")
    assert (entry.kind, entry.amount, entry.reason) == ("adjustment", 40, "Spring")
    assert (entry.reference, entry.expires_at, entry.created_by) == ("P-7", until, finance)
    assert (made.status, made.lines.get().entry) == ("posted", entry)
    (logged,) = AuditEntry.objects.filter(workspace=team.workspace, action="adjustment.posted")
    assert (logged.actor_label, logged.target_id) == (finance.email, made.id)
    assert balance_of(team.workspace.id).balance == ledger_sum(team.workspace.id)


@pytest.mark.parametrize(
    ("category", "credits", "kind"),
    [
        ("purchase", 5, "purchase"),
        ("goodwill", 5, "adjustment"),
        ("correction", 5, "adjustment"),
        ("correction", -5, "adjustment"),
    ],
)
def test_kind_of_the_entry_follows_from_what_was_done(
    team: Team, category: str, credits: int, kind: str
) -> None:
    give(team.workspace, 10)
    entry = posted(team.workspace, credits, category=category).lines.get().entry
    assert entry is not None
    assert (entry.kind, entry.category, entry.amount) == (kind, category, credits)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": " "}, "Give a reason."),
        ({"credits": 10**13}, "Move between 1 and 1,000,000,000,000 credits."),
        (
            {"credits": -1, "category": "goodwill"},
            "Only a correction takes credits; a goodwill gives them.",
        ),
        (
            {"credits": -1, "expires_at": timezone.now() + timedelta(days=1)},
            "Credits that are taken do not expire.",
        ),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "The expiry has passed."),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    team: Team, fields: dict[str, Any], sentence: str
) -> None:
    give(team.workspace, 100)
    wanted = line(team.workspace, fields.pop("credits", 5), **fields)
    assert refusal(staff_of("finance"), wanted) == [sentence]


def test_no_more_is_taken_than_is_free(team: Team) -> None:
    give(team.workspace, 10)
    hold(workspace_id=team.workspace.id, credits=4)
    assert refusal(staff_of("finance"), line(team.workspace, -7)) == [
        "Only 6 credits are free to take: the balance is 10, and running turns hold 4."
    ]
    assert ask(staff_of("finance"), line(team.workspace, -6)).status == "posted"


def test_nobody_adjusts_a_workspace_that_they_belong_to(team: Team) -> None:
    boss = make_user("boss", is_staff=True, is_superuser=True)
    add_member(workspace=team.workspace, user=boss, role=Role.VIEWER)
    slug = team.workspace.slug
    assert refusal(boss, line(team.workspace, 5)) == [
        f"You belong to {slug}. Somebody else has to adjust its credits."
    ]
    assert ask(boss, line(team.outside, 5)).status == "posted"


def test_postgresql_refuses_ones_own_workspace_too(team: Team) -> None:
    mine = {"workspace": team.workspace, "created_by": team.bob}
    with pytest.raises(DatabaseError, match="belong to"), transaction.atomic():
        LedgerEntry.objects.create(kind="adjustment", amount=1, balance_after=1, **mine)
    adjustment = Adjustment.objects.create(status="posted", requested_by=team.bob)
    fields: dict[str, Any] = {"adjustment": adjustment, "credits": 1, "category": "correction"}
    with pytest.raises(DatabaseError, match="belong to"), transaction.atomic():
        AdjustmentLine.objects.create(workspace=team.workspace, reason="x", **fields)
    request = asked(team.workspace, 2000)
    with pytest.raises(DatabaseError, match="belong to"), transaction.atomic():
        decided(request, team.bob)


def test_closed_workspace_is_not_adjusted(team: Team) -> None:
    now = timezone.now()
    Workspace.objects.filter(pk=team.workspace.pk).update(deletion_due_at=now, closed_at=now)
    assert refusal(staff_of("finance"), line(team.workspace, 5)) == [
        f"{team.workspace.slug} was closed on {now:%d %B %Y}."
    ]


@pytest.mark.parametrize("group", ["operator", "auditor"])
def test_other_staff_adjust_nothing(team: Team, group: str) -> None:
    assert refusal(staff_of(group), line(team.workspace, 5)) == ["You may not adjust credits."]


def test_who_is_no_longer_staff_adjusts_nothing(team: Team) -> None:
    gone = staff_of("finance")
    gone.is_staff = False
    assert refusal(gone, line(team.workspace, 5)) == ["Only staff adjust credits."]


def test_support_gives_goodwill_up_to_the_limit_of_thirty_days(team: Team) -> None:
    support, other = staff_of("support"), staff_of("support")
    nothing_else = ["You may give goodwill and nothing else. Ask somebody of finance."]
    for category in ("correction", "purchase", "promotion"):
        assert refusal(support, line(team.workspace, 5, category=category)) == nothing_else
    ask(support, line(team.workspace, 30, category="goodwill"))
    wanted = line(team.workspace, 21, category="goodwill")
    limit = "Support gives a workspace at most 50 credits of goodwill in 30 days"
    assert refusal(other, wanted) == [f"{limit}; 20 are left. Ask somebody of finance."]
    assert ask(other, line(team.workspace, 20, category="goodwill")).status == "posted"
    assert ask(other, line(team.outside, 50, category="goodwill")).status == "posted"
    assert ask(staff_of("finance"), wanted).status == "posted"


def test_above_the_threshold_a_second_person_posts_it(team: Team) -> None:
    request, finance = asked(team.workspace, 1001), staff_of("finance")
    before = LedgerEntry.objects.filter(workspace=team.workspace).count()
    assert (request.status, request.lines.get().entry) == ("pending", None)
    yes(request, finance)
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


def test_a_sum_in_pieces_is_one_sum(team: Team) -> None:
    give(team.workspace, 1000)
    finance = staff_of("finance")
    assert ask(finance, line(team.workspace, 600)).status == "posted"
    assert ask(finance, line(team.workspace, -400)).status == "posted"
    assert ask(finance, line(team.workspace, 1)).status == "pending"
    assert ask(finance, line(team.outside, 1000)).status == "posted"
    assert ask(staff_of("finance"), line(team.workspace, 1000)).status == "posted"


def test_many_lines_above_the_threshold_together_wait_too(team: Team) -> None:
    finance = staff_of("finance")
    both = line(team.workspace, 500), line(team.outside, 501, number=2)
    assert ask(finance, *both, file_name="a.csv", file_digest="a").status == "pending"


def test_nobody_approves_their_own(team: Team) -> None:
    request = asked(team.workspace, 2000)
    with pytest.raises(Undecidable, match="You asked for this"):
        yes(request, request.requested_by)
    boss = make_user("boss", is_staff=True, is_superuser=True)
    own = ask(boss, line(team.workspace, 2000))
    with pytest.raises(Undecidable, match="You asked for this"):
        yes(own, boss)
    with pytest.raises(DatabaseError, match="decided_by_another"), transaction.atomic():
        decided(own, boss)
    assert balance_of(team.workspace.id).balance == 0


def test_who_belongs_to_the_workspace_or_has_no_right_does_not_decide(team: Team) -> None:
    request = asked(team.workspace, 2000)
    with pytest.raises(Undecidable, match="You may not decide"):
        yes(request, staff_of("support"))
    insider = staff_of("finance")
    add_member(workspace=team.workspace, user=insider, role=Role.VIEWER)
    with pytest.raises(Undecidable, match="You belong to a workspace"):
        yes(request, insider)


def test_decision_asks_everything_anew(team: Team) -> None:
    give(team.workspace, 3000)
    request, finance = asked(team.workspace, -2500), staff_of("finance")
    shown = foresee(lines=lines_of(request), by=request.requested_by).mark
    posted(team.workspace, -100)
    with pytest.raises(Differs):
        approve(adjustment_id=request.id, by=finance, actor=staff(finance), mark=shown)
    hold(workspace_id=team.workspace.id, credits=401)
    with pytest.raises(Refused, match="Only 2,499 credits are free"):
        yes(request, finance)
    request.requested_by.groups.clear()
    with pytest.raises(Refused, match="You may not adjust"):
        yes(request, finance)
    request.refresh_from_db()
    assert (request.status, balance_of(team.workspace.id).balance) == ("pending", 2900)


def test_requests_are_decided_once(team: Team) -> None:
    finance, other = staff_of("finance"), staff_of("finance")
    request = asked(team.workspace, 2000)
    yes(request, finance)
    with pytest.raises(Undecidable, match=f"{finance.email} approved this on"):
        yes(request, other)
    with pytest.raises(Undecidable, match=f"{finance.email} approved this on"):
        decline(adjustment_id=request.id, by=other, actor=staff(other), reason="no")
    assert balance_of(team.workspace.id).balance == 2000


def test_declining_says_why_and_posts_nothing(team: Team) -> None:
    request, finance = asked(team.workspace, 2000), staff_of("finance")
    with pytest.raises(Undecidable, match="Say why"):
        decline(adjustment_id=request.id, by=finance, actor=staff(finance), reason=" ")
    decline(adjustment_id=request.id, by=finance, actor=staff(finance), reason="No invoice")
    request.refresh_from_db()
    assert (request.status, request.decision_reason) == ("declined", "No invoice")
    (logged,) = AuditEntry.objects.filter(target_id=request.id, action="adjustment.declined")
    assert (logged.actor_label, logged.details["reason"]) == (finance.email, "No invoice")
    assert balance_of(team.workspace.id).balance == 0


def test_requests_lapse(team: Team, settings: Settings) -> None:
    settings.APPROVAL_DAYS = 0
    request = asked(team.workspace, 2000)
    settings.APPROVAL_DAYS = 7
    later = asked(team.outside, 2000)
    with pytest.raises(Undecidable, match="lapsed undecided"):
        yes(request, staff_of("finance"))
    assert (expire_requests(), expire_requests()) == (1, 0)
    request.refresh_from_db()
    later.refresh_from_db()
    (logged,) = AuditEntry.objects.filter(target_id=request.id, action="adjustment.expired")
    assert (request.status, later.status, logged.actor_kind) == ("expired", "pending", "system")


def test_the_same_confirmation_posts_once(team: Team) -> None:
    finance, id = staff_of("finance"), new_id()
    wanted = line(team.workspace, 5)
    mark = foresee(lines=[wanted], by=finance).mark
    sent: dict[str, Any] = {"lines": [wanted], "by": finance, "actor": staff(finance)}
    first, second = (submit(**sent, adjustment_id=id, mark=mark) for _ in range(2))
    assert (first, balance_of(team.workspace.id).balance) == (second, 5)


def test_what_no_longer_comes_to_what_was_shown_is_not_posted(team: Team) -> None:
    finance = staff_of("finance")
    wanted = line(team.workspace, 5)
    mark = foresee(lines=[wanted], by=finance).mark
    give(team.workspace, 1)
    with pytest.raises(Differs) as caught:
        submit(lines=[wanted], by=finance, actor=staff(finance), adjustment_id=new_id(), mark=mark)
    (foreseen,) = caught.value.outlook.lines
    assert (foreseen.before.balance, foreseen.after) == (1, 6)
    assert balance_of(team.workspace.id).balance == 1


def test_entry_is_reversed_by_its_contrary_once(team: Team) -> None:
    entry = posted(team.workspace, 40).lines.get().entry
    assert entry is not None
    back = posted(team.workspace, -40, reverses_id=entry.id, reference="T-1").lines.get().entry
    assert back is not None
    assert (back.amount, back.reverses, back.category) == (-40, entry, "correction")
    assert (back.reference, balance_of(team.workspace.id).balance) == ("T-1", 0)
    give(team.workspace, 100)
    again = line(team.workspace, -40, reverses_id=entry.id)
    finance = staff_of("finance")
    assert refusal(finance, again) == ["This entry has been reversed before."]
    of_it = line(team.workspace, 40, reverses_id=back.id)
    assert refusal(finance, of_it) == [
        "An entry that reverses another is not reversed. Post an adjustment."
    ]


def test_reversal_is_to_the_credit_in_its_own_workspace_and_not_supports(team: Team) -> None:
    entry = posted(team.workspace, 40).lines.get().entry
    assert entry is not None
    give(team.outside, 100)
    finance = staff_of("finance")
    contrary = ["A reversal is the contrary of its entry, to the credit."]
    assert refusal(finance, line(team.workspace, -39, reverses_id=entry.id)) == contrary
    foreign = line(team.outside, -40, reverses_id=entry.id)
    assert refusal(finance, foreign) == ["This workspace's ledger has no such entry."]
    taken = posted(team.workspace, -10).lines.get().entry
    assert taken is not None
    mended = line(team.workspace, 10, category="goodwill", reverses_id=taken.id)
    assert refusal(staff_of("support"), mended) == [
        "You may give goodwill and nothing else. Ask somebody of finance.",
        *contrary,
    ]


def test_reversal_above_the_threshold_waits_and_is_made_once(team: Team) -> None:
    give(team.workspace, 10_000)
    (entry,) = LedgerEntry.objects.filter(workspace=team.workspace)
    give(team.workspace, 10_000)
    first, second = (asked(team.workspace, -10_000, reverses_id=entry.id) for _ in range(2))
    yes(first, staff_of("finance"))
    with pytest.raises(Refused, match="reversed before"):
        yes(second, staff_of("finance"))
    assert balance_of(team.workspace.id).balance == 10_000


def test_a_file_is_posted_once_and_may_be_asked_for_again_once_declined(team: Team) -> None:
    finance = staff_of("finance")
    file = {"file_name": "a.csv", "file_digest": "abc"}
    made = ask(finance, line(team.workspace, 5), **file)
    when = f"{made.requested_at:%d %B %Y, %H:%M}"
    with pytest.raises(PostedBefore) as caught:
        ask(staff_of("finance"), line(team.workspace, 5), **file)
    assert str(caught.value) == (
        f"This file was posted on {when} UTC, uploaded by {finance.email}."
        " Nothing was posted again."
    )
    other = {"file_name": "b.csv", "file_digest": "def"}
    request = ask(finance, line(team.outside, 2000), **other)
    with pytest.raises(PostedBefore, match="waits for approval since"):
        ask(finance, line(team.outside, 2000), **other)
    boss = staff_of("finance")
    decline(adjustment_id=request.id, by=boss, actor=staff(boss), reason="no")
    assert ask(finance, line(team.outside, 2000), **other).status == "pending"


def test_all_lines_are_posted_or_none(team: Team) -> None:
    finance = staff_of("finance")
    give(team.workspace, 10)
    lines = [line(team.outside, 5), line(team.workspace, -11, number=2)]
    assert len(refusal(finance, *lines)) == 1
    assert balance_of(team.outside.id).balance == 0
    third = make_workspace()
    ask(finance, line(team.outside, 5), line(team.workspace, -10), line(third, 7))
    places = (team.outside, team.workspace, third)
    assert [balance_of(each.id).balance for each in places] == [5, 0, 7]


REFUSED = (
    "UPDATE adjustments_adjustment SET requested_at = now()",
    "UPDATE adjustments_adjustment SET status = 'posted', lapses_at = NULL",
    "UPDATE adjustments_adjustmentline SET credits = credits + 1",
    "UPDATE adjustments_adjustmentline SET entry_id = NULL",
    "DELETE FROM adjustments_adjustmentline",
    "DELETE FROM adjustments_adjustment",
    "TRUNCATE adjustments_adjustment CASCADE",
    "TRUNCATE adjustments_adjustmentline",
)


@pytest.mark.parametrize("statement", REFUSED)
def test_what_was_asked_for_and_decided_stays(team: Team, statement: str) -> None:
    posted(team.workspace, 5)
    asked(team.outside, 2000)
    rows = list(Adjustment.objects.order_by("id").values())
    lines = list(AdjustmentLine.objects.order_by("id").values())
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(Adjustment.objects.order_by("id").values()) == rows
    assert list(AdjustmentLine.objects.order_by("id").values()) == lines
