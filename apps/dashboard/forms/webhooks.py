from django import forms

from apps.dashboard.forms.filters import FilterForm
from apps.infrastructure.names import validate_name
from apps.webhooks.models import SUBSCRIBABLE_EVENT_TYPES, DeliveryStatus, Endpoint
from apps.webhooks.services import EndpointChanges


class EndpointForm(forms.Form):
    """A webhook endpoint. The service validates the URL further."""

    url = forms.CharField(
        max_length=2000,
        label="Endpoint URL",
        widget=forms.URLInput(attrs={"placeholder": "https://", "autocomplete": "off"}),
        help_text="A public HTTPS URL that returns 2xx within a few seconds.",
    )
    description = forms.CharField(
        required=False, max_length=200, validators=[validate_name], label="Description"
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, name) for name in SUBSCRIBABLE_EVENT_TYPES],
        widget=forms.CheckboxSelectMultiple,
    )

    @classmethod
    def for_endpoint(cls, endpoint: Endpoint) -> "EndpointForm":
        """The form filled in with the endpoint's settings."""
        return cls(initial={name: getattr(endpoint, name) for name in cls.base_fields})

    def changes(self) -> EndpointChanges:
        """The changes as `update_endpoint` takes them."""
        return EndpointChanges(**self.cleaned_data)


class DeliveryFilterForm(FilterForm):
    """The filter of an endpoint's deliveries."""

    status = forms.ChoiceField(
        required=False, label="Status", choices=[("", "Any"), *DeliveryStatus.choices]
    )
