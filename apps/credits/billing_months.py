"""The months of a plan: whole days in UTC, counted from the day on which it began.

A plan that began on the 31st has its anniversary on the last day of a shorter month, and on the
31st again in the next that has one. Every anniversary is counted from the first day, never from
the one before, so none drifts.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time


def utc_date(now: datetime) -> date:
    """The day in UTC."""
    return now.astimezone(UTC).date()


def utc_midnight(day: date) -> datetime:
    """The moment at which the day begins in UTC."""
    return datetime.combine(day, time(), UTC)


def anniversary(start: date, months: int) -> date:
    """The day so many months after `start`, or the last day of its month where it has no such."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def anniversaries_until(start: date, day: date) -> int:
    """How many anniversaries there have been by that day, itself included."""
    months = (day.year - start.year) * 12 + day.month - start.month
    return months if anniversary(start, months) <= day else months - 1
