from typing import Any, cast

from django import forms

from apps.credits.models import MAX_CREDITS, EntryKind, Plan
from apps.dashboard.forms.filters import DateRangeFilterForm


class StatementFilterForm(DateRangeFilterForm):
    """The filter of the ledger entries."""

    kind = forms.ChoiceField(
        required=False,
        label="Type",
        choices=[("", "Any"), *[(each.value, each.label) for each in EntryKind]],
    )
    field_order = ("kind", "since", "until")


def _note_field() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=500,
        label="Note",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Optional. Tell us what you need it for.",
    )


class AlertForm(forms.Form):
    """The threshold of the low balance alert."""

    threshold = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_CREDITS,
        label="Alert me when balance drops below",
        help_text="In credits. Leave empty to be alerted only when credits run out.",
    )


class PlanField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice of plans, each described by its credits."""

    def label_from_instance(self, obj: Plan) -> str:
        lasts = obj.credits_last_months
        ends = "never expire"
        if lasts is not None:
            ends = "valid for 1 month" if lasts == 1 else f"valid for {lasts} months"
        return f"{obj.name} · {obj.monthly_credits:,} credits per month, {ends}"


class PlanRequestForm(forms.Form):
    """A request for another plan than the current one."""

    prefix = "plan"
    plan = PlanField(queryset=Plan.objects.none(), empty_label="Choose a plan")
    note = _note_field()

    def __init__(self, *data: Any, current: Plan | None) -> None:
        super().__init__(*data)
        plans = Plan.objects.filter(is_active=True)
        offered = plans.exclude(pk=current.pk) if current else plans
        cast(PlanField, self.fields["plan"]).queryset = offered


class PurchaseRequestForm(forms.Form):
    """A request to buy credits."""

    prefix = "buy"
    credits = forms.IntegerField(min_value=1, max_value=MAX_CREDITS, label="Credits")
    note = _note_field()
