from __future__ import annotations

from django import forms

from apps.audit.queries import Looked
from apps.dashboard.forms.days import DaysForm


class FilterForm(DaysForm):
    """What to look for in the audit log."""

    who = forms.CharField(required=False, max_length=300, label="Who")
    what = forms.CharField(
        required=False,
        max_length=60,
        label="What",
        widget=forms.TextInput(attrs={"placeholder": "member.removed"}),
    )
    field_order = ("who", "what", "since", "until")

    def looked_for(self) -> Looked:
        """The filter; what makes no sense is left out of it and told on the form."""
        return Looked(**self.given())
