from django import forms

from apps.dashboard.forms.filters import DateRangeFilterForm


class AuditLogFilterForm(DateRangeFilterForm):
    """The filter of the audit log."""

    who = forms.CharField(required=False, max_length=300, label="Actor")
    what = forms.CharField(
        required=False,
        max_length=60,
        label="Action",
        widget=forms.TextInput(attrs={"placeholder": "member.removed"}),
    )
    field_order = ("who", "what", "since", "until")
