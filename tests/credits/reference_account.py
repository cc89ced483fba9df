"""What docs/credits.md says of plans and time, calculated slowly: each credit is a thing by itself,
and the calendar is walked day by day. It shares no code with the product."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)
FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SlowPlan:
    name: str
    monthly: int
    lasts: int | None


@dataclass
class SlowAccount:
    """Single credits, each with the moment of its end and the number of the gift it came with."""

    began: date
    plan: SlowPlan
    planned: SlowPlan | None = None
    credits: list[tuple[datetime, int]] = field(default_factory=list)
    held: int = 0
    gifts: int = 0
    entries: list[tuple[str, int]] = field(default_factory=list)
    granted: set[date] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._grant_month(self.began, self.began)

    @property
    def free(self) -> int:
        return len(self.credits) - self.held

    def look(self, now: datetime) -> None:
        """What is over expires, what is due is granted."""
        self._expire(now)
        day = self.began
        while day < now.date():
            day += DAY
            if self._is_anniversary(day) and day not in self.granted:
                self.plan, self.planned = self.planned or self.plan, None
                self._grant_month(day, now.date())

    def change_plan(self, plan: SlowPlan, now: datetime) -> str:
        self.look(now)
        today = now.date()
        if plan == self.plan:
            if self.planned is None:
                return "refused"
            self.planned = None
        elif plan.monthly > self.plan.monthly:
            start = today
            while start != self.began and not self._is_anniversary(start):
                start -= DAY
            end = self._anniversary_after(today, 1)
            difference = (plan.monthly - self.plan.monthly) * (end - today).days
            if difference // (end - start).days:
                ends = self._end(plan, today)
                self.give("grant", difference // (end - start).days, ends)
            self.plan, self.planned = plan, None
        else:
            self.planned = plan
        return "done"

    def give(self, kind: str, amount: int, ends: datetime | None) -> int:
        self.gifts += 1
        self.credits += [(ends or FOR_EVER, self.gifts)] * amount
        self.credits.sort()
        self.entries.append((kind, amount))
        return self.gifts

    def take(self, kind: str, amount: int) -> str:
        if amount > self.free:
            return "refused"
        del self.credits[:amount]
        self.entries.append((kind, -amount))
        return "done"

    def undo(self, gift: int, amount: int) -> str:
        if amount > self.free:
            return "refused"
        own = [credit for credit in self.credits if credit[1] == gift]
        others = [credit for credit in self.credits if credit[1] != gift]
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
        kept, lost = self.credits[: self.held], self.credits[self.held :]
        self.credits = kept + [credit for credit in lost if credit[0] > now]
        for gift in dict.fromkeys(gift for ends, gift in lost if ends <= now):
            self.entries.append(("expiry", -sum(1 for credit in lost if credit[1] == gift)))

    def _grant_month(self, day: date, today: date) -> None:
        self.granted.add(day)
        if self.plan.monthly:
            self.give("grant", self.plan.monthly, self._end(self.plan, today))

    def _end(self, plan: SlowPlan, today: date) -> datetime | None:
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
