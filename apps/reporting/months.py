"""Calendar months in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

from apps.core.dates import FIRST_YEAR, LAST_YEAR

_FORMAT = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month in UTC."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Return the month of a text like 2026-11. Raises ValueError."""
        if not _FORMAT.match(text) or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
            raise ValueError("Name a month like 2026-11.")
        return cls(int(text[:4]), int(text[5:]))

    @classmethod
    def containing(cls, time: datetime) -> "Month":
        """Return the month that contains a time."""
        utc = time.astimezone(UTC)
        return cls(utc.year, utc.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def title(self) -> str:
        return f"{date(self.year, self.number, 1):%B %Y}"

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The start of the next month."""
        return self.next().start

    def next(self) -> "Month":
        months = self.year * 12 + self.number
        return Month(months // 12, months % 12 + 1)

    def previous(self) -> "Month":
        months = self.year * 12 + self.number - 2
        return Month(months // 12, months % 12 + 1)
