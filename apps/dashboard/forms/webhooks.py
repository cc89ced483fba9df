from __future__ import annotations

from django import forms

from apps.webhooks.models import SUBSCRIBABLE_EVENT_TYPES, DeliveryStatus, Endpoint
from apps.webhooks.services import EndpointChanges


class EndpointForm(forms.Form):
    """Where events go, and which. The service says which addresses may be called."""

    url = forms.CharField(
        max_length=2000,
        label="Endpoint URL",
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
        help_text="A public HTTPS URL that returns 2xx within a few seconds.",
    )
    description = forms.CharField(required=False, max_length=200, label="Description")
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, name) for name in SUBSCRIBABLE_EVENT_TYPES],
        widget=forms.CheckboxSelectMultiple,
    )

    @classmethod
    def for_endpoint(cls, endpoint: Endpoint) -> EndpointForm:
        """The form as the endpoint stands."""
        names = cls.base_fields
        return cls(initial={name: getattr(endpoint, name) for name in names})

    def changes(self) -> EndpointChanges:
        """What the form says of the endpoint."""
        return EndpointChanges(**self.cleaned_data)

    def add_field_errors(self, field: str, sentences: list[str]) -> None:
        """Show what the service refused where the person can mend it."""
        name = {"eventTypes": "event_types"}.get(field, field)
        self.add_error(name if name in self.fields else None, sentences)


class DeliveryFilterForm(forms.Form):
    """Which deliveries of an endpoint to list."""

    status = forms.ChoiceField(
        required=False, label="Status", choices=[("", "Any"), *DeliveryStatus.choices]
    )

    def given(self) -> dict[str, str]:
        """What was filled in and makes sense."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}
