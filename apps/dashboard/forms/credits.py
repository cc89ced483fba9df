from __future__ import annotations

from django import forms

from apps.credits.models import EntryKind
from apps.dashboard.forms.days import DaysForm


class StatementFilterForm(DaysForm):
    """Which entries of the ledger to list."""

    kind = forms.ChoiceField(
        required=False,
        label="Kind",
        choices=[("", "Any"), *[(each.value, each.label) for each in EntryKind]],
    )
    field_order = ("kind", "since", "until")
