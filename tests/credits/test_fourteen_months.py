"""Fourteen months of a workspace, a leap day among them, compared to the credit with a slow
calculation: months that end early, workers that are away, other plans, turns that hold credits
while they expire, staff who give, take and undo."""

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
from apps.credits.services import adjust, charge, grant, hold, release, reverse
from apps.reporting.monthly_statements import Month, build_statement
from tests.credits.reference_account import SlowAccount, SlowPlan
from tests.factories import make_workspace

LAST = date(2028, 3, 31)
LEAP_DAY = date(2028, 2, 29)
STARTS = [date(2027, 1, 31), date(2027, 1, 30), date(2027, 1, 29), date(2027, 2, 28)]


class Both:
    """The product and the slow calculation, told the same story."""

    def __init__(self, seed: int, began: date) -> None:
        self.dice = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.plans = [
            SlowPlan(f"{new_id()}", monthly, lasts)
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
        self.slow = SlowAccount(began, first)
        self.holds: list[int] = []
        self.gifts: list[tuple[int, str, int]] = []
        start = datetime(began.year, began.month, began.day, 15, tzinfo=UTC)
        start_plan(workspace_id=self.id, plan=first.name, grant_credits=True, now=start)

    def look(self, now: datetime) -> None:
        self.slow.look(now)
        renew_due_accounts(now=now)

    def live(self, now: datetime) -> None:
        """One thing that happens, at this moment."""
        deeds = [self.turn] * 4 + [self.begin_turn, self.end_turn, self.give, self.take, self.undo]
        self.dice.choice([*deeds, self.other_plan])(now)

    def turn(self, now: datetime) -> None:
        price = self.dice.randint(1, 20)
        if self.held(price):
            self.settle(price, price)

    def begin_turn(self, now: datetime) -> None:
        most = self.dice.choice([1, 15, 60])
        if self.held(most):
            self.holds.append(most)

    def end_turn(self, now: datetime) -> None:
        if self.holds:
            held = self.holds.pop()
            self.settle(held, self.dice.choice([0, held // 2, held]))

    def give(self, now: datetime) -> None:
        credits, ends = self.dice.randint(1, 60), None
        if self.dice.random() < 0.6:
            ends = now + timedelta(days=self.dice.randint(1, 80), hours=self.dice.randint(0, 20))
        if self.dice.random() < 0.5:
            gift = self.slow.give("grant", credits, ends)
            entry = grant(workspace_id=self.id, credits=credits, reason="x", expires_at=ends)
        else:
            gift = self.slow.give("adjustment", credits, ends)
            entry = adjust(workspace_id=self.id, credits=credits, reason="x", expires_at=ends)
        self.gifts.append((gift, entry.id, credits))
        self.seen["given"] += 1

    def take(self, now: datetime) -> None:
        credits = self.dice.randint(1, 40)
        expected = self.slow.take("adjustment", credits)
        try:
            adjust(workspace_id=self.id, credits=-credits, reason="x")
            found = "done"
        except InsufficientCredits:
            found = "refused"
        assert found == expected
        self.seen[f"taken {found}"] += 1

    def undo(self, now: datetime) -> None:
        if not self.gifts:
            return
        gift, entry_id, credits = self.gifts.pop(self.dice.randrange(len(self.gifts)))
        expected = self.slow.undo(gift, credits)
        try:
            reverse(workspace_id=self.id, entry_id=entry_id, reason="x")
            found = "done"
        except InsufficientCredits:
            found = "refused"
        assert found == expected
        self.seen[f"undone {found}"] += 1

    def other_plan(self, now: datetime) -> None:
        if self.dice.random() < 0.5:
            return
        plan = self.dice.choice(self.plans)
        before, planned = self.slow.plan, self.slow.planned
        unchanged = deepcopy(self.slow)
        expected = self.slow.change_plan(plan, now)
        if expected == "refused":
            # What is refused changes nothing, the look that came first included.
            self.slow = unchanged
        chosen = Plan.objects.get(slug=plan.name)
        try:
            change_plan(workspace_id=self.id, plan=chosen, actor=SYSTEM, now=now)
            found = "done"
        except PlanUnchanged:
            found = "refused"
        assert found == expected
        now_planned = self.slow.planned
        taken_back = found == "done" and planned is not None and now_planned is None
        self.seen["upgrade"] += self.slow.plan.monthly > before.monthly
        self.seen["downgrade"] += found == "done" and now_planned is not None
        self.seen["taken back"] += taken_back and self.slow.plan == plan

    def held(self, credits: int) -> bool:
        expected = self.slow.hold(credits)
        try:
            hold(workspace_id=self.id, credits=credits)
            found = "done"
        except InsufficientCredits:
            found = "refused"
        assert found == expected
        self.seen[f"held {found}"] += 1
        return found == "done"

    def settle(self, held: int, price: int) -> None:
        self.slow.settle(held, price)
        if price:
            charge(workspace_id=self.id, held=held, credits=price, turn_id=new_id())
        else:
            release(workspace_id=self.id, credits=held)

    def compare(self, day: date) -> None:
        expected = Balance(len(self.slow.credits), self.slow.held)
        assert balance_for(self.id) == expected, f"on {day}"

    def as_if_lived(self, ends: Sequence[tuple[Month, int]]) -> None:
        """Each entry at its place in its month: the ledger's own clock was the test's minute.

        `ends` are the months with the number of entries until their end. PostgreSQL lets nobody
        change an entry, so it must look away.
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
    """A month's statement: what each kind of entry came to."""
    found: Counter[str] = Counter()
    for kind, amount in entries:
        found[kind] += amount
    return found


@pytest.mark.parametrize(("seed", "began"), list(enumerate(STARTS)))
def test_every_credit_of_fourteen_months_is_where_it_should_be(
    db: None, seed: int, began: date
) -> None:
    both = Both(seed, began)
    day, away_until, month = began, began, 0
    ends: list[tuple[Month, int]] = []
    balances = [0]

    def month_ends(day: date) -> None:
        ends.append((Month(day.year, day.month), len(both.slow.entries)))
        balances.append(len(both.slow.credits))

    if (began + timedelta(days=1)).day == 1:
        month_ends(began)
    while day < LAST:
        day += timedelta(days=1)
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        if day > away_until and both.dice.random() < 0.04:
            # Away for a day or for nine weeks; they come back in the middle of a day.
            away_until = day + timedelta(days=both.dice.choice([0, 2, 9, 35, 63]))
            both.seen["outage"] += 1
        if day > away_until:
            both.look(midnight)
        for minute in sorted(both.dice.sample(range(1, 1440), both.dice.choice([0, 0, 1, 2]))):
            both.live(midnight + timedelta(minutes=minute))
        if day == away_until:
            both.look(midnight + timedelta(hours=23))
        both.compare(day)
        if (day + timedelta(days=1)).day == 1:
            found, expected = both.statement(), both.slow.entries
            assert sums(found[month:]) == sums(expected[month:]), f"in the month until {day}"
            month = len(expected)
            month_ends(day)
    both.look(datetime(2028, 4, 1, tzinfo=UTC))
    month_ends(date(2028, 4, 1))
    assert both.statement() == both.slow.entries
    assert ledger_sum(both.id) == len(both.slow.credits)
    kinds = {kind for kind, _ in both.slow.entries}
    assert kinds == {"grant", "charge", "adjustment", "expiry"}
    lived = {"outage", "upgrade", "downgrade", "given", "taken done", "undone done", "held done"}
    assert {name for name in lived if not both.seen[name]} == set()
    both.as_if_lived(ends)
    first = 0
    for (calendar, last), (opening, closing) in zip(ends, pairwise(balances), strict=True):
        told = build_statement(both.id, calendar)
        moved = {movement.kind.value: movement.credits for movement in told.movements}
        assert (told.opening, told.closing) == (opening, closing), calendar.title
        assert moved == dict(sums(both.slow.entries[first:last])), calendar.title
        first = last


def test_leap_day_is_an_anniversary_of_the_31st_and_the_slow_calculation_knows_it(
    db: None,
) -> None:
    both = Both(0, STARTS[0])
    both.look(datetime(2028, 2, 29, tzinfo=UTC))
    assert LEAP_DAY in both.slow.granted
    assert both.statement() == both.slow.entries
