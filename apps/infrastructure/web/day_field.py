"""A form field for a day in UTC."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.core.dates import parse_day


class DayField(forms.DateField):
    """A day as browsers' date pickers send it, within the bounds of `core.dates`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"widget": forms.DateInput(attrs={"type": "date"}), **options})

    def to_python(self, value: Any) -> date | None:
        if value in self.empty_values:
            return None
        try:
            return parse_day(str(value).strip())
        except ValueError as error:
            raise ValidationError(str(error), code="invalid") from None
