"""Forms of the admin pages. They check each field; the rules are in `previews`."""

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
from apps.adjustments.csv_import import MAX_BYTES
from apps.adjustments.lines import LineData
from apps.adjustments.models import ADJUST_PERMISSION
from apps.core.dates import end_of_day
from apps.credits.models import MAX_CREDITS, Category, LedgerEntry
from apps.infrastructure.web.day_field import DayField
from apps.workspaces.models import Workspace

GIVE, TAKE = "give", "take"
DIRECTIONS = [(GIVE, "Add credits"), (TAKE, "Deduct credits")]


def date_field(**options: Any) -> DayField:
    """Return an optional date field with the browser's date picker."""
    widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})
    return DayField(required=False, widget=widget, **options)


class AdjustForm(forms.Form):
    """One adjustment, or the reversal of `entry`: then all but reason and reference is fixed."""

    workspace = forms.CharField(
        max_length=48,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Slug or ID.",
    )
    direction = forms.ChoiceField(
        choices=DIRECTIONS, initial=GIVE, widget=UnfoldAdminRadioSelectWidget(radio_style=1)
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
        help_text="Only corrections can deduct credits.",
    )
    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Shown to the workspace's owner in the ledger and the audit log.",
    )
    reference = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="External reference, such as an invoice or ticket.",
    )
    expires_on = date_field(
        label="Expires on",
        help_text="Last day (UTC) on which the credits can be used. Empty: never.",
    )

    def __init__(
        self,
        data: Any = None,
        *,
        user: User,
        entry: LedgerEntry | None = None,
        initial: dict[str, Any] | None = None,
    ) -> None:
        fixed = reversal_initial(entry) if entry else {}
        super().__init__(data, initial={**(initial or {}), **fixed})
        self.entry = entry
        if not user.has_perm(ADJUST_PERMISSION):
            self.fields["category"] = forms.ChoiceField(
                label="Kind",
                choices=[(Category.GOODWILL.value, Category.GOODWILL.label)],
                widget=UnfoldAdminSelectWidget,
            )
            self.fields["direction"] = forms.ChoiceField(
                choices=DIRECTIONS[:1],
                initial=GIVE,
                widget=UnfoldAdminRadioSelectWidget(radio_style=1),
            )
        for name in fixed:
            self.fields[name].disabled = True
        if entry:
            del self.fields["expires_on"]

    def clean_workspace(self) -> Workspace:
        given = self.cleaned_data["workspace"].strip()
        workspace = Workspace.objects.filter(slug=given).first()
        workspace = workspace or Workspace.objects.filter(pk=given).first()
        if workspace is None:
            raise ValidationError(f"Workspace {given} not found.")
        return workspace

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in ("reason", "reference"):
            if name in cleaned:
                cleaned[name] = cleaned[name].strip()
        return cleaned

    @property
    def line(self) -> LineData:
        """The line to post. The form must be valid."""
        cleaned = self.cleaned_data
        sign = -1 if cleaned["direction"] == TAKE else 1
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
    """Return the fields that reversing the entry fixes."""
    return {
        "workspace": entry.workspace.slug,
        "direction": TAKE if entry.amount > 0 else GIVE,
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
                f"The file has {file.size:,} bytes. The maximum is {MAX_BYTES:,}."
            )
        return file


class DeclineForm(forms.Form):
    """The reason for declining a pending adjustment."""

    reason = forms.CharField(
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="Shown to the person who made the request.",
    )
