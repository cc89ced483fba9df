from __future__ import annotations

from django import forms

from apps.audit.queries import AuditFilters
from apps.dashboard.forms.filters import DateRangeFilterForm


class AuditLogFilterForm(DateRangeFilterForm):
    """What to look for in the audit log."""

    who = forms.CharField(required=False, max_length=300, label="Actor")
    what = forms.CharField(
        required=False,
        max_length=60,
        label="Action",
        widget=forms.TextInput(attrs={"placeholder": "member.removed"}),
    )
    field_order = ("who", "what", "since", "until")

    def looked_for(self) -> AuditFilters:
        """The filter; what makes no sense is left out of it and told on the form."""
        return AuditFilters(**self.given())
