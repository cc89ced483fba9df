from __future__ import annotations

from typing import Any

from django import forms

from apps.chatbots.queries import chatbots_of
from apps.conversations.models import TurnStatus
from apps.core.ids import is_id
from apps.dashboard.forms.days import DaysForm


class ConversationFilterForm(DaysForm):
    """Which conversations to list."""

    q = forms.CharField(required=False, max_length=64, label="Conversation or turn id")
    chatbot_id = forms.ChoiceField(required=False, label="Chatbot")
    status = forms.ChoiceField(
        required=False,
        label="Last turn",
        choices=[("", "Any"), *[(each.value, each.label) for each in TurnStatus]],
    )
    has_lead = forms.ChoiceField(
        required=False, label="Lead", choices=[("", "Any"), ("yes", "With a lead"), ("no", "None")]
    )

    field_order = ("q", "chatbot_id", "status", "has_lead", "since", "until")

    def __init__(self, workspace_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["q"].widget.attrs |= {"placeholder": "c0mw…", "autocomplete": "off"}
        names = chatbots_of(workspace_id).values_list("id", "name")
        self.fields["chatbot_id"].choices = [("", "Any"), *names]  # type: ignore[attr-defined]

    def clean_q(self) -> str:
        """An id, or nothing."""
        id: str = self.cleaned_data["q"].strip()
        if id and not is_id(id):
            raise forms.ValidationError("An id has 25 characters and begins with c.")
        return id
