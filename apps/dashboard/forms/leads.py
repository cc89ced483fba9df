from collections.abc import Mapping
from typing import Any

from django import forms

from apps.core.text import single_line
from apps.dashboard.forms.fields import NormalizedCharField
from apps.dashboard.forms.filters import FilterForm
from apps.leads.contact_formats import normalize_email, normalize_phone
from apps.leads.fields import MAX_NAME_LENGTH, MAX_SEARCH_LENGTH, MAX_SOURCE_LENGTH, LeadFields
from apps.leads.models import Lead, LeadStatus

STATUS_CHOICES = [(each.value, str(each.label).capitalize()) for each in LeadStatus]
"""Each status with its label, in the order of the pipeline."""


class LeadFilterForm(FilterForm):
    """The filter of the leads."""

    search = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH, label="Name or email")
    status = forms.ChoiceField(
        required=False, label="Status", choices=[("", "Any"), *STATUS_CHOICES]
    )
    source = forms.CharField(required=False, max_length=MAX_SOURCE_LENGTH, label="Source")
    chatbot_id = forms.ChoiceField(required=False, label="Chatbot")


class LeadStatusForm(forms.Form):
    """A lead's status in the pipeline."""

    status = forms.ChoiceField(choices=STATUS_CHOICES)


class LeadForm(forms.Form):
    """A lead. Its email can be changed but not removed, as it identifies the person."""

    name = NormalizedCharField(
        normalize=single_line(MAX_NAME_LENGTH),
        required=False,
        max_length=MAX_NAME_LENGTH,
        label="Name",
    )
    email = NormalizedCharField(
        normalize=normalize_email, required=False, max_length=320, label="Email"
    )
    phone = NormalizedCharField(
        normalize=normalize_phone,
        required=False,
        max_length=40,
        label="Phone",
        help_text="Include the country code: +44 20 7946 0958.",
    )
    source = NormalizedCharField(
        normalize=single_line(MAX_SOURCE_LENGTH), max_length=MAX_SOURCE_LENGTH, label="Source"
    )
    status = forms.ChoiceField(choices=STATUS_CHOICES, label="Status")

    def __init__(self, lead: Lead, data: Mapping[str, Any] | None = None) -> None:
        self.lead = lead
        super().__init__(
            data, initial={name: getattr(lead, name) or "" for name in self.base_fields}
        )

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if self.lead.email and not email:
            raise forms.ValidationError("You can change the email address but not remove it.")
        return email

    def lead_fields(self) -> LeadFields:
        """The fields as `update_lead` takes them."""
        cleaned = self.cleaned_data
        fields: LeadFields = {
            "name": cleaned["name"],
            "phone": cleaned["phone"] or None,
            "source": cleaned["source"],
            "status": cleaned["status"],
        }
        if cleaned["email"]:
            fields["email"] = cleaned["email"]
        return fields
