from collections.abc import Mapping
from typing import Any

from django import forms

from apps.conversations.models import (
    COMMENT_LENGTH,
    NOTE_LENGTH,
    SOURCE_LENGTH,
    TITLE_LENGTH,
    Conversation,
    RatingValue,
    TurnStatus,
)
from apps.core.text import require_storable, single_line
from apps.dashboard.forms.fields import NormalizedCharField
from apps.dashboard.forms.filters import DateRangeFilterForm


class ConversationFilterForm(DateRangeFilterForm):
    """The filter of the conversations."""

    search = forms.CharField(
        required=False,
        max_length=200,
        label="Search",
        widget=forms.TextInput(attrs={"placeholder": "Message or ID", "autocomplete": "off"}),
    )
    chatbot_id = forms.ChoiceField(required=False, label="Chatbot")
    status = forms.ChoiceField(
        required=False,
        label="Status",
        choices=[("", "Any"), *[(each.value, each.label) for each in TurnStatus]],
    )
    source = forms.CharField(required=False, max_length=SOURCE_LENGTH, label="Source")
    rated = forms.ChoiceField(
        required=False,
        label="Rating",
        choices=[
            ("", "Any"),
            ("up", "Thumbs up"),
            ("down", "Thumbs down"),
            ("any", "Rated"),
            ("none", "Not rated"),
        ],
    )
    has_lead = forms.ChoiceField(
        required=False,
        label="Lead",
        choices=[("", "Any"), ("yes", "With lead"), ("no", "Without lead")],
    )

    field_order = ("search", "chatbot_id", "status", "since", "until")
    advanced_fields = ("source", "rated", "has_lead")

    def filters(self) -> dict[str, Any]:
        """Like DateRangeFilterForm's, with `has_lead` as a bool."""
        found = super().filters()
        if "has_lead" in found:
            found["has_lead"] = found["has_lead"] == "yes"
        return found


def _normalize_text(text: str) -> str:
    return require_storable(text.replace("\r\n", "\n"))


class ConversationForm(forms.Form):
    """A conversation's title and note."""

    title = NormalizedCharField(
        normalize=single_line(TITLE_LENGTH),
        required=False,
        max_length=TITLE_LENGTH,
        label="Title",
        help_text="Optional. Defaults to the first message.",
    )
    note = NormalizedCharField(
        normalize=_normalize_text,
        required=False,
        max_length=NOTE_LENGTH,
        label="Note",
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Internal note. Only your team can see it.",
    )

    def __init__(self, conversation: Conversation, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(
            data,
            auto_id="about_%s",
            initial={"title": conversation.title, "note": conversation.note},
        )


class RatingForm(forms.Form):
    """A rating of an answer. An empty rating removes it."""

    rating = forms.ChoiceField(required=False, choices=RatingValue)
    comment = NormalizedCharField(
        normalize=_normalize_text, required=False, max_length=COMMENT_LENGTH
    )
