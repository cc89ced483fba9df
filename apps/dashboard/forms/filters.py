from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        required=False, label=label, widget=forms.DateInput(attrs={"type": "date"})
    )


class DateRangeFilterForm(forms.Form):
    """A filter with a first and a last day, both whole and in UTC, beside what a page adds.

    What makes no sense is told on the form and left out of the filter.
    """

    more: tuple[str, ...] = ()
    """Fields that few need: they wait behind a button."""

    since = _day("From")
    until = _day("To")

    @property
    def more_in_use(self) -> int:
        """How many of those are filled in, for the button to say."""
        return len(set(self.more) & set(self.changed_data))

    def given(self) -> dict[str, Any]:
        """What was filled in and makes sense; `since` and `before` as moments."""
        self.is_valid()
        cleaned: dict[str, Any] = self.cleaned_data
        found = {name: value for name, value in cleaned.items() if value not in (None, "")}
        until: date | None = found.pop("until", None)
        if "since" in found:
            found["since"] = datetime.combine(found["since"], time(), UTC)
        if until and until < date.max:
            found["before"] = datetime.combine(until + timedelta(days=1), time(), UTC)
        return found
