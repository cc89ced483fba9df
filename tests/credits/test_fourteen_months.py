"""Compare fourteen months of random operations, with a leap day, to a reference implementation.

The months include outages of the workers, plan changes, turns that hold credits while they expire,
and manual additions, deductions and reversals.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection

from apps.audit.services import SYSTEM
from apps.core.ids import new_id
from apps.credits.errors import InsufficientCredits, PlanUnchanged
from apps.credits.models import LedgerEntry, Plan
from apps.credits.plans import change_plan, renew_due_accounts, start_plan
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.credits.services import (
    adjust,
    charge,
    charge_embedding,
    grant,
    hold,
    release,
    reverse,
)
from apps.reporting.monthly_statements import build_statement
from apps.reporting.months import Month
from tests.credits.reference_account import ReferenceAccount, ReferencePlan
from tests.factories import make_workspace

pytestmark = pytest.mark.usefixtures("other_workspaces_are_closed")
LAST = date(2028, 3, 31)
LEAP_DAY = date(2028, 2, 29)
STARTS = [date(2027, 1, 31), date(2027, 1, 30), date(2027, 1, 29), date(2027, 2, 28)]


class ProductAndReference:
    """Run the same operations in the product and in the reference account."""

    def __init__(self, seed: int, began: date) -> None:
        self.rng = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.plans = [
            ReferencePlan(f"{new_id()}", monthly, lasts)
            for monthly, lasts in [(0, None), (40, 1), (90, 3), (90, None), (250, 1), (300, 2)]
        ]
        for plan in self.plans:
            Plan.objects.create(
                slug=plan.name,
                name=plan.name,
                monthly_credits=plan.monthly,
                credits_last_months=plan.lasts,
            )
        first = self.plans[1]
        self.id = make_workspace().id
        self.reference = ReferenceAccount(began, first)
        self.holds: list[int] = []
        self.lots: list[tuple[int, str, int]] = []
        start = datetime(began.year, began.month, began.day, 15, tzinfo=UTC)
        start_plan(workspace_id=self.id, plan=first.name, grant_credits=True, now=start)

    def renew(self, now: datetime) -> None:
        self.reference.renew(now)
        renew_due_accounts(now=now)

    def run_random_operation(self, now: datetime) -> None:
        operations = [self.run_turn] * 4
        operations += [self.open_turn, self.settle_turn, self.add, self.deduct, self.reverse]
        operations.append(self.embed)
        self.rng.choice([*operations, self.change_plan])(now)

    def run_turn(self, now: datetime) -> None:
        price = self.rng.randint(1, 20)
        if self.hold(price):
            self.settle(price, price)

    def open_turn(self, now: datetime) -> None:
        most = self.rng.choice([1, 15, 60])
        if self.hold(most):
            self.holds.append(most)

    def settle_turn(self, now: datetime) -> None:
        if self.holds:
            held = self.holds.pop()
            self.settle(held, self.rng.choice([0, held // 2, held]))

    def add(self, now: datetime) -> None:
        credits, ends = self.rng.randint(1, 60), None
        if self.rng.random() < 0.6:
            ends = now + timedelta(days=self.rng.randint(1, 80), hours=self.rng.randint(0, 20))
        if self.rng.random() < 0.5:
            lot = self.reference.add("grant", credits, ends)
            entry = grant(workspace_id=self.id, credits=credits, reason="x", expires_at=ends)
        else:
            lot = self.reference.add("adjustment", credits, ends)
            entry = adjust(workspace_id=self.id, credits=credits, reason="x", expires_at=ends)
        self.lots.append((lot, entry.id, credits))
        self.counts["added"] += 1

    def deduct(self, now: datetime) -> None:
        credits = self.rng.randint(1, 40)
        expected = self.reference.deduct("adjustment", credits)
        try:
            adjust(workspace_id=self.id, credits=-credits, reason="x")
            result = "done"
        except InsufficientCredits:
            result = "refused"
        assert result == expected
        self.counts[f"deducted {result}"] += 1

    def embed(self, now: datetime) -> None:
        due = self.rng.randint(1, 40)
        charged = min(due, self.reference.free)
        if charged:
            assert self.reference.deduct("embedding", charged) == "done"
        charge_embedding(workspace_id=self.id, credits=due, reason="x", reference="x")
        self.counts["embedded"] += 1

    def reverse(self, now: datetime) -> None:
        if not self.lots:
            return
        lot, entry_id, credits = self.lots.pop(self.rng.randrange(len(self.lots)))
        expected = self.reference.reverse(lot, credits)
        try:
            reverse(workspace_id=self.id, entry_id=entry_id, reason="x")
            result = "done"
        except InsufficientCredits:
            result = "refused"
        assert result == expected
        self.counts[f"reversed {result}"] += 1

    def change_plan(self, now: datetime) -> None:
        if self.rng.random() < 0.5:
            return
        plan = self.rng.choice(self.plans)
        before, next_plan = self.reference.plan, self.reference.next_plan
        unchanged = deepcopy(self.reference)
        expected = self.reference.change_plan(plan, now)
        if expected == "refused":
            # A refused change also rolls back the renewal that came first.
            self.reference = unchanged
        chosen = Plan.objects.get(slug=plan.name)
        try:
            change_plan(workspace_id=self.id, plan=chosen, actor=SYSTEM, now=now)
            result = "done"
        except PlanUnchanged:
            result = "refused"
        assert result == expected
        now_planned = self.reference.next_plan
        cancelled = result == "done" and next_plan is not None and now_planned is None
        self.counts["upgrade"] += self.reference.plan.monthly > before.monthly
        self.counts["downgrade"] += result == "done" and now_planned is not None
        self.counts["cancelled"] += cancelled and self.reference.plan == plan

    def hold(self, credits: int) -> bool:
        expected = self.reference.hold(credits)
        try:
            hold(workspace_id=self.id, credits=credits)
            result = "done"
        except InsufficientCredits:
            result = "refused"
        assert result == expected
        self.counts[f"held {result}"] += 1
        return result == "done"

    def settle(self, held: int, price: int) -> None:
        self.reference.settle(held, price)
        if price:
            charge(workspace_id=self.id, held=held, credits=price, turn_id=new_id())
        else:
            release(workspace_id=self.id, credits=held)

    def compare(self, day: date) -> None:
        expected = Balance(len(self.reference.credits), self.reference.held)
        assert balance_for(self.id) == expected, f"on {day}"

    def backdate_entries(self, ends: Sequence[tuple[Month, int]]) -> None:
        """Move each entry into its month; the test posted all of them within a minute.

        `ends` are the months with the number of entries until their end. The triggers that reject
        changes of entries are switched off for it.
        """
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            first = 0
            for month, last in ends:
                cursor.execute(
                    """UPDATE credits_ledgerentry SET created_at = %s + sequence * interval '1 s'
                    WHERE workspace_id = %s AND sequence > %s AND sequence <= %s""",
                    [month.start, self.id, first, last],
                )
                first = last
            cursor.execute("SET LOCAL session_replication_role = origin")

    def statement(self) -> list[tuple[str, int]]:
        rows = LedgerEntry.objects.filter(workspace_id=self.id).order_by("created_at")
        return list(rows.values_list("kind", "amount"))


def sums(entries: Sequence[tuple[str, int]]) -> Counter[str]:
    """Add up the entries of each kind."""
    totals: Counter[str] = Counter()
    for kind, amount in entries:
        totals[kind] += amount
    return totals


@pytest.mark.parametrize(("seed", "began"), list(enumerate(STARTS)))
def test_fourteen_months_match_the_reference_account(db: None, seed: int, began: date) -> None:
    accounts = ProductAndReference(seed, began)
    day, down_until, month = began, began, 0
    ends: list[tuple[Month, int]] = []
    balances = [0]

    def month_ends(day: date) -> None:
        ends.append((Month(day.year, day.month), len(accounts.reference.entries)))
        balances.append(len(accounts.reference.credits))

    if (began + timedelta(days=1)).day == 1:
        month_ends(began)
    while day < LAST:
        day += timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if day > down_until and accounts.rng.random() < 0.04:
            # The workers are down for a day up to nine weeks and come back in the middle of a day.
            down_until = day + timedelta(days=accounts.rng.choice([0, 2, 9, 35, 63]))
            accounts.counts["outage"] += 1
        if day > down_until:
            accounts.renew(midnight)
        for minute in sorted(
            accounts.rng.sample(range(1, 1440), accounts.rng.choice([0, 0, 1, 2]))
        ):
            accounts.run_random_operation(midnight + timedelta(minutes=minute))
        if day == down_until:
            accounts.renew(midnight + timedelta(hours=23))
        accounts.compare(day)
        if (day + timedelta(days=1)).day == 1:
            found, expected = accounts.statement(), accounts.reference.entries
            assert sums(found[month:]) == sums(expected[month:]), f"in the month until {day}"
            month = len(expected)
            month_ends(day)
    accounts.renew(datetime(2028, 4, 1, tzinfo=UTC))
    month_ends(date(2028, 4, 1))
    assert accounts.statement() == accounts.reference.entries
    assert ledger_sum(accounts.id) == len(accounts.reference.credits)
    kinds = {kind for kind, _ in accounts.reference.entries}
    assert kinds == {"grant", "charge", "adjustment", "embedding", "expiry"}
    expected_operations = {
        "outage",
        "upgrade",
        "downgrade",
        "added",
        "deducted done",
        "reversed done",
        "held done",
    }
    assert {name for name in expected_operations if not accounts.counts[name]} == set()
    accounts.backdate_entries(ends)
    first = 0
    for (calendar, last), (opening, closing) in zip(ends, pairwise(balances), strict=True):
        statement = build_statement(accounts.id, calendar)
        moved = {movement.kind.value: movement.credits for movement in statement.movements}
        assert (statement.opening, statement.closing) == (opening, closing), calendar.title
        assert moved == dict(sums(accounts.reference.entries[first:last])), calendar.title
        first = last


def test_leap_day_is_an_anniversary_of_the_31st(
    db: None,
) -> None:
    accounts = ProductAndReference(0, STARTS[0])
    accounts.renew(datetime(2028, 2, 29, tzinfo=UTC))
    assert LEAP_DAY in accounts.reference.granted
    assert accounts.statement() == accounts.reference.entries
