from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from apps.chatbots.queries import chatbots_for
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
from apps.dashboard.forms.filters import DateRangeFilterForm


class ConversationFilterForm(DateRangeFilterForm):
    """Which conversations to list."""

    search = forms.CharField(required=False, max_length=200, label="Search")
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
    more = ("source", "rated", "has_lead")

    def __init__(self, workspace_id: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["search"].widget.attrs |= {
            "placeholder": "Search messages or paste an ID",
            "autocomplete": "off",
        }
        names = chatbots_for(workspace_id).values_list("id", "name")
        self.fields["chatbot_id"].choices = [("", "Any"), *names]  # type: ignore[attr-defined]

    def given(self) -> dict[str, Any]:
        """What was filled in and makes sense."""
        found = super().given()
        if "has_lead" in found:
            found["has_lead"] = found["has_lead"] == "yes"
        return found


class ConversationForm(forms.Form):
    """What a workspace calls a conversation and notes of it."""

    title = forms.CharField(
        required=False,
        max_length=TITLE_LENGTH,
        label="Title",
        help_text="Optional. Defaults to the first message.",
    )
    note = forms.CharField(
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

    def clean_title(self) -> str:
        """One line, or nothing."""
        title: str = self.cleaned_data["title"]
        return _checked(single_line(TITLE_LENGTH), title) if title else ""

    def clean_note(self) -> str:
        """What can be kept."""
        return _checked(require_storable, self.cleaned_data["note"].replace("\r\n", "\n"))


class RatingForm(forms.Form):
    """What a member thinks of an answer; an empty rating takes it away."""

    rating = forms.ChoiceField(required=False, choices=RatingValue)
    comment = forms.CharField(required=False, max_length=COMMENT_LENGTH)

    def clean_comment(self) -> str:
        """What can be kept."""
        return _checked(require_storable, self.cleaned_data["comment"].replace("\r\n", "\n"))


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except ValueError as error:
        raise forms.ValidationError(str(error)) from None
