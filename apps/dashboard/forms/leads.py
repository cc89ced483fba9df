from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from apps.chatbots.queries import chatbots_for
from apps.core.text import single_line
from apps.dashboard.presenters.leads import STATUS_CHOICES
from apps.leads.contact_formats import normalize_email, normalize_phone
from apps.leads.fields import MAX_NAME_LENGTH, MAX_SEARCH_LENGTH, MAX_SOURCE_LENGTH, LeadFields
from apps.leads.models import Lead


class LeadFilterForm(forms.Form):
    """Which leads to list."""

    search = forms.CharField(required=False, max_length=MAX_SEARCH_LENGTH, label="Name or email")
    status = forms.ChoiceField(
        required=False, label="Status", choices=[("", "Any"), *STATUS_CHOICES]
    )
    source = forms.CharField(required=False, max_length=MAX_SOURCE_LENGTH, label="Source")
    chatbot_id = forms.ChoiceField(required=False, label="Chatbot")

    def __init__(self, workspace_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = chatbots_for(workspace_id).values_list("id", "name")
        self.fields["chatbot_id"].choices = [("", "Any"), *names]  # type: ignore[attr-defined]

    def given(self) -> dict[str, str]:
        """What was filled in and makes sense."""
        self.is_valid()
        return {name: value for name, value in self.cleaned_data.items() if value}


class LeadStatusForm(forms.Form):
    """How far the workspace has come with a lead."""

    status = forms.ChoiceField(choices=STATUS_CHOICES)


class LeadForm(forms.Form):
    """What is known of a person. An email address can be changed, not taken away: it is by it
    that the same person is known again."""

    name = forms.CharField(required=False, max_length=MAX_NAME_LENGTH, label="Name")
    email = forms.CharField(required=False, max_length=320, label="Email")
    phone = forms.CharField(
        required=False,
        max_length=40,
        label="Phone",
        help_text="Include the country code: +44 20 7946 0958.",
    )
    source = forms.CharField(max_length=MAX_SOURCE_LENGTH, label="Source")
    status = forms.ChoiceField(choices=STATUS_CHOICES, label="Status")

    def __init__(self, lead: Lead, data: Mapping[str, Any] | None = None) -> None:
        self.lead = lead
        kept = {name: getattr(lead, name) or "" for name in self.base_fields}
        super().__init__(data, initial=kept)

    def clean_name(self) -> str:
        """One line, or nothing."""
        return self._checked("name", single_line(MAX_NAME_LENGTH))

    def clean_email(self) -> str:
        """An address in the form in which it is kept."""
        email = self._checked("email", normalize_email)
        if self.lead.email and not email:
            raise forms.ValidationError("You can change the email address but not remove it.")
        return email

    def clean_phone(self) -> str:
        """A number in the form in which it is kept."""
        return self._checked("phone", normalize_phone)

    def clean_source(self) -> str:
        """One line."""
        return self._checked("source", single_line(MAX_SOURCE_LENGTH))

    def _checked(self, name: str, check: Callable[[str], str]) -> str:
        text: str = self.cleaned_data[name].strip()
        try:
            return check(text) if text else ""
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def lead_fields(self) -> LeadFields:
        """What the form says of the lead."""
        given = self.cleaned_data
        fields: LeadFields = {
            "name": given["name"],
            "phone": given["phone"] or None,
            "source": given["source"],
            "status": given["status"],
        }
        if given["email"]:
            fields["email"] = given["email"]
        return fields
