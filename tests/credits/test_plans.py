"""Plans over time. Every function takes `now`, so no test waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.ids import new_id
from apps.credits.errors import PlanUnchanged
from apps.credits.models import Account, LedgerEntry, Lot, Plan
from apps.credits.plans import change_plan, renew_account, renew_due_accounts, start_plan
from apps.credits.plans.months import anniversaries_until, anniversary
from apps.credits.queries import balance_for
from apps.credits.services import adjust, charge, grant, hold, release, reverse
from tests.factories import Team

pytestmark = pytest.mark.usefixtures("other_workspaces_are_closed")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plan(credits: int, lasts: int | None = None) -> Plan:
    return Plan.objects.create(
        slug=new_id(), name=f"Plan {credits}", monthly_credits=credits, credits_last_months=lasts
    )


def start_on(team: Team, on: Plan, day: str) -> str:
    start_plan(workspace_id=team.workspace.id, plan=on.slug, grant_credits=True, now=at(day))
    return str(team.workspace.id)


def entries_for(workspace_id: str) -> list[tuple[str, int]]:
    rows = LedgerEntry.objects.filter(workspace_id=workspace_id).order_by("created_at")
    return [(entry.kind, entry.amount) for entry in rows]


def spend(workspace_id: str, credits: int) -> None:
    hold(workspace_id=workspace_id, credits=credits)
    charge(workspace_id=workspace_id, held=credits, credits=credits, turn_id=new_id())


def remaining_in_lots(workspace_id: str) -> list[int]:
    lots = Lot.objects.filter(workspace_id=workspace_id).order_by("id")
    return list(lots.values_list("remaining", flat=True))


@pytest.mark.parametrize(
    ("began", "months", "day"),
    [
        ("2027-01-31", 1, "2027-02-28"),
        ("2027-01-31", 2, "2027-03-31"),
        ("2027-01-31", 13, "2028-02-29"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2028-02-29", 48, "2032-02-29"),
        ("2027-12-15", 1, "2028-01-15"),
    ],
)
def test_anniversary_is_same_day_or_last_day_of_month(began: str, months: int, day: str) -> None:
    first, expected = date.fromisoformat(began), date.fromisoformat(day)
    assert anniversary(first, months) == expected
    assert anniversaries_until(first, expected) == months
    assert anniversaries_until(first, expected - timedelta(days=1)) == months - 1


def test_month_is_granted_once_on_its_anniversary(team: Team) -> None:
    workspace = start_on(team, plan(100), "2027-01-31T15:00")
    assert renew_account(workspace_id=workspace, now=at("2027-02-27T23:59:59")) == []
    (entry,) = renew_account(workspace_id=workspace, now=at("2027-02-28T00:00"))
    assert (entry.amount, entry.reason) == (100, "Plan 100 plan, month from 28 February 2027")
    assert renew_account(workspace_id=workspace, now=at("2027-03-30T12:00")) == []
    assert entries_for(workspace) == [("grant", 100), ("grant", 100)]


def test_missed_months_are_granted_once(team: Team) -> None:
    workspace = start_on(team, plan(100), "2027-01-31T15:00")
    assert renew_due_accounts(now=at("2027-05-02T03:00")) == 1
    assert renew_due_accounts(now=at("2027-05-02T03:01")) == 0
    periods = Lot.objects.filter(workspace_id=workspace).order_by("id")
    assert [str(lot.period) for lot in periods] == [
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
    ]
    assert balance_for(workspace).balance == 400


def test_second_grant_for_a_month_is_rejected(team: Team) -> None:
    workspace = start_on(team, plan(100), "2027-01-31T15:00")
    with pytest.raises(IntegrityError, match="credits_one_grant_a_period"), transaction.atomic():
        grant(workspace_id=workspace, credits=1, reason="x", period=date(2027, 1, 31))
    assert balance_for(workspace).balance == 100


def test_unused_credits_expire_before_the_next_grant(team: Team) -> None:
    workspace = start_on(team, plan(100, lasts=1), "2027-01-31T15:00")
    spend(workspace, 30)
    renew_account(workspace_id=workspace, now=at("2027-02-28T00:00"))
    assert entries_for(workspace)[2:] == [("expiry", -70), ("grant", 100)]
    assert balance_for(workspace).balance == 100


def test_late_grant_lasts_as_long_as_one_on_time(team: Team) -> None:
    workspace = start_on(team, plan(100, lasts=1), "2027-01-10")
    renew_account(workspace_id=workspace, now=at("2027-03-15T09:00"))
    lots = Lot.objects.filter(workspace_id=workspace).order_by("id")
    ends = [lot.expires_at and f"{lot.expires_at:%Y-%m-%d}" for lot in lots]
    assert ends == ["2027-02-10", "2027-04-10", "2027-04-10"]
    assert remaining_in_lots(workspace) == [0, 100, 100]


def test_credits_are_used_in_order_of_expiry(team: Team) -> None:
    workspace = team.workspace.id
    grant(workspace_id=workspace, credits=10, reason="never")
    grant(workspace_id=workspace, credits=10, reason="late", expires_at=at("2027-03-01"))
    grant(workspace_id=workspace, credits=10, reason="soon", expires_at=at("2027-02-01"))
    spend(workspace, 13)
    renew_account(workspace_id=workspace, now=at("2027-01-01"))
    assert remaining_in_lots(workspace) == [10, 7, 0]
    adjust(workspace_id=workspace, credits=-8, reason="put right")
    renew_account(workspace_id=workspace, now=at("2027-03-01"))
    assert remaining_in_lots(workspace) == [9, 0, 0]
    assert balance_for(workspace).balance == 9


def test_later_credits_do_not_pay_for_earlier_usage(team: Team) -> None:
    workspace = team.workspace.id
    grant(workspace_id=workspace, credits=10, reason="never")
    spend(workspace, 4)
    grant(workspace_id=workspace, credits=10, reason="soon", expires_at=at("2027-02-01"))
    renew_account(workspace_id=workspace, now=at("2027-02-01"))
    assert entries_for(workspace)[-1] == ("expiry", -10)
    assert remaining_in_lots(workspace) == [6, 0]


def test_held_credits_expire_after_the_turn_settles(team: Team) -> None:
    workspace = team.workspace.id
    grant(workspace_id=workspace, credits=100, reason="never")
    grant(workspace_id=workspace, credits=50, reason="soon", expires_at=at("2027-02-01"))
    hold(workspace_id=workspace, credits=20)
    (entry,) = renew_account(workspace_id=workspace, now=at("2027-02-01"))
    assert (entry.amount, entry.reason) == (-30, "Expired: soon")
    assert renew_account(workspace_id=workspace, now=at("2027-02-02")) == []
    charge(workspace_id=workspace, held=15, credits=15, turn_id=new_id())
    release(workspace_id=workspace, credits=5)
    (rest,) = renew_account(workspace_id=workspace, now=at("2027-02-03"))
    assert (rest.amount, balance_for(workspace).balance) == (-5, 100)


def test_reversed_grant_empties_its_own_lot_first(team: Team) -> None:
    workspace = team.workspace.id
    wrong = grant(workspace_id=workspace, credits=10, reason="wrong")
    grant(workspace_id=workspace, credits=10, reason="soon", expires_at=at("2027-02-01"))
    spend(workspace, 4)
    reverse(workspace_id=workspace, entry_id=wrong.id, reason="never meant")
    renew_account(workspace_id=workspace, now=at("2027-02-01"))
    assert entries_for(workspace)[-1] == ("expiry", -6)


def test_credits_from_before_lots_never_expire(team: Team) -> None:
    workspace = team.workspace.id
    grant(workspace_id=workspace, credits=10, reason="old")
    Lot.objects.filter(workspace_id=workspace).delete()
    spend(workspace, 3)
    grant(workspace_id=workspace, credits=5, reason="soon", expires_at=at("2027-02-01"))
    renew_account(workspace_id=workspace, now=at("2027-02-01"))
    assert remaining_in_lots(workspace) == [7, 0]


def test_upgrade_grants_the_prorated_difference(team: Team) -> None:
    workspace = start_on(team, plan(100), "2027-01-31T15:00")
    larger = plan(1000)
    change_plan(workspace_id=workspace, plan=larger, actor=SYSTEM, now=at("2027-02-10T18:00"))
    entry = LedgerEntry.objects.filter(workspace_id=workspace).latest("created_at")
    assert entry.amount == 900 * 18 // 28
    assert entry.reason == "Upgrade from Plan 100 to Plan 1000: 18 of 28 days"
    renew_account(workspace_id=workspace, now=at("2027-02-28"))
    assert entries_for(workspace) == [("grant", 100), ("grant", 578), ("grant", 1000)]
    (logged,) = AuditEntry.objects.filter(workspace_id=workspace, action="plan.changed")
    assert logged.details == {"plan": ["Plan 100", "Plan 1000"]}


def test_downgrade_takes_effect_at_the_next_anniversary(team: Team) -> None:
    workspace = start_on(team, plan(1000), "2027-01-10")
    smaller = plan(100)
    account = change_plan(
        workspace_id=workspace, plan=smaller, actor=SYSTEM, now=at("2027-01-20T12:00")
    )
    assert (account.plan, account.next_plan) == (Plan.objects.get(monthly_credits=1000), smaller)
    renew_account(workspace_id=workspace, now=at("2027-03-10"))
    assert entries_for(workspace) == [("grant", 1000), ("grant", 100), ("grant", 100)]
    account.refresh_from_db()
    assert (account.plan, account.next_plan) == (smaller, None)


def test_choosing_the_current_plan_cancels_a_change(team: Team) -> None:
    now = plan(1000)
    workspace = start_on(team, now, "2027-01-10")
    moment = at("2027-01-20")
    change_plan(workspace_id=workspace, plan=plan(100), actor=SYSTEM, now=moment)
    assert change_plan(workspace_id=workspace, plan=now, actor=SYSTEM, now=moment).next_plan is None
    with pytest.raises(PlanUnchanged):
        change_plan(workspace_id=workspace, plan=now, actor=SYSTEM, now=moment)
    renew_account(workspace_id=workspace, now=at("2027-02-10"))
    assert entries_for(workspace) == [("grant", 1000), ("grant", 1000)]


def test_inactive_plan_cannot_be_chosen(team: Team) -> None:
    hidden = plan(5)
    hidden.is_active = False
    with pytest.raises(ValueError, match="is not offered"):
        change_plan(workspace_id=team.workspace.id, plan=hidden, actor=SYSTEM, now=at("2027-01-01"))


def test_plan_change_first_grants_missed_months(team: Team) -> None:
    workspace = start_on(team, plan(100), "2027-01-10")
    change_plan(workspace_id=workspace, plan=plan(400), actor=SYSTEM, now=at("2027-03-10"))
    assert entries_for(workspace) == [
        ("grant", 100),
        ("grant", 100),
        ("grant", 100),
        ("grant", 300),
    ]


def test_plan_change_starts_months_of_a_workspace(team: Team) -> None:
    free = plan(100)
    start_plan(
        workspace_id=team.workspace.id, plan=free.slug, grant_credits=False, now=at("2027-01-01")
    )
    assert renew_due_accounts(now=at("2027-06-01")) == 0
    change_plan(workspace_id=team.workspace.id, plan=free, actor=SYSTEM, now=at("2027-06-15T08:00"))
    renew_account(workspace_id=team.workspace.id, now=at("2027-07-15"))
    assert entries_for(team.workspace.id) == [("grant", 100), ("grant", 100)]


def test_closed_workspace_gets_no_grants(team: Team) -> None:
    workspace = start_on(team, plan(100), "2027-01-10")
    type(team.workspace).objects.filter(pk=workspace).update(
        deletion_due_at=at("2027-01-15"), closed_at=at("2027-01-15")
    )
    assert renew_due_accounts(now=at("2027-06-01")) == 0
    assert Account.objects.get(pk=workspace).balance == 100
