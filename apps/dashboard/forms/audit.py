from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms

from apps.audit.queries import Looked


class FilterForm(forms.Form):
    """What to look for in the audit log. Days are whole days in UTC."""

    who = forms.CharField(required=False, max_length=300, label="Who")
    what = forms.CharField(required=False, max_length=60, label="What")
    since = forms.DateField(
        required=False, label="From", widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(
        required=False, label="To", widget=forms.DateInput(attrs={"type": "date"})
    )

    def looked_for(self) -> Looked:
        """The filter; what makes no sense is left out of it and told on the form."""
        given: dict[str, Any] = self.cleaned_data if self.is_valid() else {}
        since, until = given.get("since"), given.get("until")
        return Looked(
            who=given.get("who") or "",
            what=given.get("what") or "",
            since=datetime.combine(since, time(), UTC) if since else None,
            before=datetime.combine(until + timedelta(days=1), time(), UTC) if until else None,
        )
