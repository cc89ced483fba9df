from datetime import datetime, timedelta

from django import forms
from django.utils import timezone

from apps.api_kit.callers import Scope
from apps.infrastructure.names import validate_name

GRACE_PERIODS = {
    "0": "Immediately",
    "3600": "In 1 hour",
    "86400": "In 1 day",
    "604800": "In 7 days",
}
EXPIRY_DAYS = {"": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In 1 year"}


class KeyForm(forms.Form):
    """A new API key: name, scopes and expiry."""

    name = forms.CharField(
        max_length=120,
        validators=[validate_name],
        help_text="Where you use it, such as Website or CI.",
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=[Scope.CHAT],
        label="Permissions",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Select at least one permission."},
    )
    expires = forms.ChoiceField(choices=list(EXPIRY_DAYS.items()), required=False, label="Expires")

    def expires_at(self) -> datetime | None:
        """When the key stops working; None for never."""
        days = self.cleaned_data["expires"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class RotationForm(forms.Form):
    """How long the old key works after a rotation."""

    grace = forms.ChoiceField(
        choices=list(GRACE_PERIODS.items()), initial="86400", label="Revoke old key"
    )

    def grace_period(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["grace"]))
