from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, cast

from django import forms

from apps.chatbots.queries import chatbots_for
from apps.core.dates import end_of_day
from apps.infrastructure.web.day_field import DayField


class FilterForm(forms.Form):
    """The filter of a list. Invalid values are reported on the form and not applied.

    A field `chatbot_id` offers the workspace's chatbots.
    """

    advanced_fields: tuple[str, ...] = ()
    """Fields that are shown in a menu of their own."""

    def __init__(self, workspace_id: str, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        if "chatbot_id" in self.fields:
            names = chatbots_for(workspace_id).values_list("id", "name")
            cast(forms.ChoiceField, self.fields["chatbot_id"]).choices = [("", "Any"), *names]

    @property
    def advanced_count(self) -> int:
        """How many of the advanced fields are filled in."""
        return len(set(self.advanced_fields) & set(self.changed_data))

    def filters(self) -> dict[str, Any]:
        """The valid values that are not empty, as keyword arguments of the list's query."""
        self.is_valid()
        cleaned: dict[str, Any] = self.cleaned_data
        return {name: value for name, value in cleaned.items() if value not in (None, "")}


class DateRangeFilterForm(FilterForm):
    """A filter by days in UTC, of which the first and the last are included."""

    since = DayField(required=False, label="From")
    until = DayField(required=False, label="To")

    def filters(self) -> dict[str, Any]:
        """Like FilterForm's, with the days as datetimes `since` and `before`."""
        found = super().filters()
        until: date | None = found.pop("until", None)
        if "since" in found:
            found["since"] = datetime.combine(found["since"], time(), UTC)
        if until:
            found["before"] = end_of_day(until)
        return found
