from __future__ import annotations

from typing import Any, cast

from django import forms

from apps.credits.models import MAX_CREDITS, EntryKind, Plan
from apps.dashboard.forms.filters import DateRangeFilterForm


class StatementFilterForm(DateRangeFilterForm):
    """Which entries of the ledger to list."""

    kind = forms.ChoiceField(
        required=False,
        label="Type",
        choices=[("", "Any"), *[(each.value, each.label) for each in EntryKind]],
    )
    field_order = ("kind", "since", "until")


def _note() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=500,
        label="Note",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Optional. Tell us what you need it for.",
    )


class AlertForm(forms.Form):
    """Below how many credits the workspace is told."""

    threshold = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_CREDITS,
        label="Alert me when balance drops below",
        help_text="In credits. Leave empty to be alerted only when credits run out.",
    )


class PlanField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A plan that is offered, in words."""

    def label_from_instance(self, obj: Plan) -> str:
        """What it gives, and for how long."""
        lasts = obj.credits_last_months
        ends = "never expire"
        if lasts is not None:
            ends = "valid for 1 month" if lasts == 1 else f"valid for {lasts} months"
        return f"{obj.name} · {obj.monthly_credits:,} credits per month, {ends}"


class PlanRequestForm(forms.Form):
    """Another plan than the workspace has."""

    prefix = "plan"
    plan = PlanField(queryset=Plan.objects.none(), empty_label="Choose a plan")
    note = _note()

    def __init__(self, *data: Any, current: Plan | None) -> None:
        super().__init__(*data)
        plans = Plan.objects.filter(is_active=True)
        offered = plans.exclude(pk=current.pk) if current else plans
        cast(PlanField, self.fields["plan"]).queryset = offered


class PurchaseRequestForm(forms.Form):
    """How many credits to buy."""

    prefix = "buy"
    credits = forms.IntegerField(min_value=1, max_value=MAX_CREDITS, label="Credits")
    note = _note()
