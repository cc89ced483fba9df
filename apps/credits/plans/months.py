"""Monthly anniversaries of a plan: days in UTC, counted from its first day.

A plan that started on the 31st has its anniversary on the last day of a shorter month, and on the
31st again in the next month that has one. Every anniversary is counted from the first day and not
from the previous anniversary, so that it does not drift.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time


def utc_date(now: datetime) -> date:
    """Return the day in UTC."""
    return now.astimezone(UTC).date()


def utc_midnight(day: date) -> datetime:
    """Return the start of the day in UTC."""
    return datetime.combine(day, time(), UTC)


def anniversary(start: date, months: int) -> date:
    """Return the day `months` after `start`, or the last day of a month that is too short."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def anniversaries_until(start: date, day: date) -> int:
    """Return the number of anniversaries up to and including that day."""
    months = (day.year - start.year) * 12 + day.month - start.month
    return months if anniversary(start, months) <= day else months - 1
