"""A slow reference implementation of docs/reference/credits.md independent of the product.

Every credit is an object of its own, and the calendar is stepped through day by day.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ReferencePlan:
    name: str
    monthly: int
    lasts: int | None


@dataclass
class ReferenceAccount:
    """Single credits, each with its expiry and the number of its lot."""

    began: date
    plan: ReferencePlan
    next_plan: ReferencePlan | None = None
    credits: list[tuple[datetime, int]] = field(default_factory=list)
    held: int = 0
    lots: int = 0
    entries: list[tuple[str, int]] = field(default_factory=list)
    granted: set[date] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._grant_month(self.began, self.began)

    @property
    def free(self) -> int:
        return len(self.credits) - self.held

    def renew(self, now: datetime) -> None:
        """Expire credits and grant months that are due."""
        self._expire(now)
        day = self.began
        while day < now.date():
            day += DAY
            if self._is_anniversary(day) and day not in self.granted:
                self.plan, self.next_plan = self.next_plan or self.plan, None
                self._grant_month(day, now.date())

    def change_plan(self, plan: ReferencePlan, now: datetime) -> str:
        self.renew(now)
        today = now.date()
        if plan == self.plan:
            if self.next_plan is None:
                return "refused"
            self.next_plan = None
        elif plan.monthly > self.plan.monthly:
            start = today
            while start != self.began and not self._is_anniversary(start):
                start -= DAY
            end = self._anniversary_after(today, 1)
            difference = (plan.monthly - self.plan.monthly) * (end - today).days
            if difference // (end - start).days:
                ends = self._end(plan, today)
                self.add("grant", difference // (end - start).days, ends)
            self.plan, self.next_plan = plan, None
        else:
            self.next_plan = plan
        return "done"

    def add(self, kind: str, amount: int, ends: datetime | None) -> int:
        self.lots += 1
        self.credits += [(ends or NEVER, self.lots)] * amount
        self.credits.sort()
        self.entries.append((kind, amount))
        return self.lots

    def deduct(self, kind: str, amount: int) -> str:
        if amount > self.free:
            return "refused"
        del self.credits[:amount]
        self.entries.append((kind, -amount))
        return "done"

    def reverse(self, lot: int, amount: int) -> str:
        if amount > self.free:
            return "refused"
        own = [credit for credit in self.credits if credit[1] == lot]
        others = [credit for credit in self.credits if credit[1] != lot]
        self.credits = others[amount - len(own) :]
        self.entries.append(("adjustment", -amount))
        return "done"

    def hold(self, amount: int) -> str:
        if amount > self.free:
            return "refused"
        self.held += amount
        return "done"

    def settle(self, held: int, price: int) -> None:
        self.held -= held
        if price:
            del self.credits[:price]
            self.entries.append(("charge", -price))

    def _expire(self, now: datetime) -> None:
        held, free = self.credits[: self.held], self.credits[self.held :]
        self.credits = held + [credit for credit in free if credit[0] > now]
        for lot in dict.fromkeys(lot for ends, lot in free if ends <= now):
            self.entries.append(("expiry", -sum(1 for credit in free if credit[1] == lot)))

    def _grant_month(self, day: date, today: date) -> None:
        self.granted.add(day)
        if self.plan.monthly:
            self.add("grant", self.plan.monthly, self._end(self.plan, today))

    def _end(self, plan: ReferencePlan, today: date) -> datetime | None:
        if plan.lasts is None:
            return None
        day = self._anniversary_after(today, plan.lasts)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    def _is_anniversary(self, day: date) -> bool:
        is_last = (day + DAY).day == 1
        same_day = day.day == self.began.day or (is_last and day.day < self.began.day)
        return same_day and day > self.began

    def _anniversary_after(self, day: date, times: int) -> date:
        while times:
            day += DAY
            times -= self._is_anniversary(day)
        return day
