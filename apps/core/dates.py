"""Days that people write and read: within bounds that all arithmetic survives, in UTC.

`date` reaches from the year 1 to 9999, and the day after its last one, or the year of an offset
before its first, is an OverflowError. So each day that comes from outside passes `check_day`.
"""

import re
from datetime import UTC, date, datetime, time, timedelta

FIRST_YEAR, LAST_YEAR = 1970, 2199
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class DayOutOfBounds(ValueError):
    """The day is before FIRST_YEAR or after LAST_YEAR."""


def check_day(day: date) -> date:
    """Return the day. Raises DayOutOfBounds."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise DayOutOfBounds(f"Choose a day between {FIRST_YEAR} and {LAST_YEAR}.")
    return day


def parse_day(text: str) -> date:
    """Return the day of a text like 2027-12-31. Raises ValueError, also DayOutOfBounds."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("Write a day as 2027-12-31.") from None
    return check_day(day)


def end_of_day(day: date) -> datetime:
    """Return the moment at which the day ends in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def last_usable_day(expires_at: datetime) -> date:
    """Return the last day (UTC) with a moment before `expires_at`."""
    return (expires_at.astimezone(UTC) - timedelta(microseconds=1)).date()


def usable_to(expires_at: datetime) -> str:
    """Say until when something can be used that ends at this moment.

    `31 Dec 2027 (UTC)` includes that day; a moment within a day is `31 Dec 2027, 09:30 UTC`.
    """
    ends = expires_at.astimezone(UTC)
    if _is_midnight(ends):
        day = last_usable_day(expires_at)
        return f"{day.day} {day:%b %Y} (UTC)"
    return f"{ends.day} {ends:%b %Y, %H:%M} UTC"


def usable_to_iso(expires_at: datetime) -> str:
    """The same for programs: `2027-12-31`, or `2027-12-31T09:30:00+00:00`, in UTC."""
    ends = expires_at.astimezone(UTC)
    return str(last_usable_day(expires_at)) if _is_midnight(ends) else ends.isoformat()


def _is_midnight(moment: datetime) -> bool:
    return moment.time() == time()
