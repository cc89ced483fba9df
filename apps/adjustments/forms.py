"""What staff fill in. Shape alone is looked at here; the rules are asked in `queries.foresee`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminBigIntegerFieldWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.accounts.models import User
from apps.adjustments.csv_import import MAX_BYTES, end_of_day
from apps.adjustments.queries import ADJUST_PERMISSION, LineData
from apps.credits.models import Category, LedgerEntry
from apps.credits.services import MAX_CREDITS
from apps.workspaces.models import Workspace

ADD, DEDUCT = "give", "take"
DIRECTIONS = [(ADD, "Give credits"), (DEDUCT, "Take credits")]


def date_field(**options: Any) -> forms.DateField:
    """A day, chosen in the browser's own calendar."""
    widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    return forms.DateField(required=False, widget=widget, **options)


class AdjustForm(forms.Form):
    """One adjustment, or the reversal of an entry: then all but its reason is settled."""

    workspace = forms.CharField(
        max_length=48,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Its slug or id.",
    )
    direction = forms.ChoiceField(
        choices=DIRECTIONS, initial=ADD, widget=UnfoldAdminRadioSelectWidget(radio_style=1)
    )
    credits = forms.IntegerField(
        min_value=1,
        max_value=MAX_CREDITS,
        widget=UnfoldAdminBigIntegerFieldWidget(attrs={"min": 1}),
    )
    category = forms.ChoiceField(
        label="Kind",
        choices=Category.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="Only a correction takes credits.",
    )
    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="The workspace's owner reads it in the ledger and the audit log.",
    )
    reference = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What it belongs to elsewhere: an invoice, a ticket.",
    )
    expires_on = date_field(
        label="Expires on",
        help_text="The last day (UTC) on which the credits can be used. Empty: they do not expire.",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        user: User,
        entry: LedgerEntry | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        settled = reversal_initial(entry) if entry else {}
        super().__init__(data, initial={**(initial or {}), **settled})
        self.entry = entry
        if not user.has_perm(ADJUST_PERMISSION):
            self.fields["category"] = forms.ChoiceField(
                label="Kind",
                choices=[(Category.GOODWILL.value, Category.GOODWILL.label)],
                widget=UnfoldAdminSelectWidget,
            )
            self.fields["direction"] = forms.ChoiceField(
                choices=DIRECTIONS[:1],
                initial=ADD,
                widget=UnfoldAdminRadioSelectWidget(radio_style=1),
            )
        for name in settled:
            self.fields[name].disabled = True
        if entry:
            del self.fields["expires_on"]

    def clean_workspace(self) -> Workspace:
        given = self.cleaned_data["workspace"].strip()
        found = Workspace.objects.filter(slug=given).first()
        found = found or Workspace.objects.filter(pk=given).first()
        if found is None:
            raise ValidationError(f"There is no workspace {given}.")
        return found

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("reason", "reference"):
            if name in cleaned:
                cleaned[name] = cleaned[name].strip()
        return cleaned

    @property
    def line(self) -> LineData:
        """What is asked for, once the form is valid."""
        cleaned = self.cleaned_data
        sign = -1 if cleaned["direction"] == DEDUCT else 1
        day = cleaned.get("expires_on")
        return LineData(
            workspace_id=cleaned["workspace"].pk,
            credits=sign * cleaned["credits"],
            category=cleaned["category"],
            reason=cleaned["reason"],
            reference=cleaned["reference"],
            expires_at=end_of_day(day) if day else None,
            reverses_id=self.entry.pk if self.entry else None,
        )


def reversal_initial(entry: LedgerEntry) -> dict[str, Any]:
    """The fields of the entry's contrary."""
    return {
        "workspace": entry.workspace.slug,
        "direction": DEDUCT if entry.amount > 0 else ADD,
        "credits": abs(entry.amount),
        "category": Category.CORRECTION.value,
    }


class UploadForm(forms.Form):
    """A CSV file of adjustments."""

    file = forms.FileField(
        label="CSV file",
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        max_length=200,
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise ValidationError(
                f"The file has {file.size:,} bytes. Send at most {MAX_BYTES:,} at a time."
            )
        return file


class DeclineForm(forms.Form):
    """Why a request is declined."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="The person who asked reads it.",
    )
