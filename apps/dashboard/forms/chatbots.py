from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.queries import active_language_models
from apps.credits.prices import Price


class LanguageModelField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A language model with its price, so that nobody has to look it up."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} · {describe_price(obj.price)}"


def describe_price(price: Price) -> str:
    """What a reply costs, as an owner reads it: `2 credits a reply`."""
    parts = [
        (price.per_reply, "per reply"),
        (price.per_1k_input, "per 1,000 input tokens"),
        (price.per_1k_output, "per 1,000 output tokens"),
    ]
    told = [f"{_credits(n)} {unit}" for n, unit in parts if n]
    return (
        " and ".join([", ".join(told[:-1]), told[-1]]) if len(told) > 1 else (told or ["free"])[0]
    )


def _credits(number: int) -> str:
    return f"{number:,} credit{'' if number == 1 else 's'}"


def language_models_for(chatbot: Chatbot) -> QuerySet[LanguageModel]:
    """What the chatbot may speak through: the active models, and the one that it has."""
    return active_language_models() | LanguageModel.objects.filter(pk=chatbot.language_model_id)


class BehaviourForm(forms.ModelForm):  # type: ignore[type-arg]
    """What decides on the answer. A valid form's `instance` is the chatbot with these changes."""

    language_model = LanguageModelField(queryset=LanguageModel.objects.none(), label="Model")

    class Meta:
        model = Chatbot
        fields = [
            "system_prompt",
            "language_model",
            "temperature",
            "max_reply_tokens",
            "history_limit",
        ]
        labels = {
            "system_prompt": "System prompt",
            "max_reply_tokens": "Max reply length (tokens)",
            "history_limit": "Message history",
        }
        help_texts = {
            "system_prompt": "Instructions for the chatbot. Not shown to end users.",
            "temperature": "0 = consistent, 2 = most varied.",
            "max_reply_tokens": "100 tokens are about 75 words.",
            "history_limit": "Number of earlier messages sent to the model.",
        }
        widgets = {
            "system_prompt": forms.Textarea(attrs={"rows": 8}),
            "temperature": forms.NumberInput(attrs={"step": "0.1"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language_model"].queryset = language_models_for(self.instance)  # type: ignore[attr-defined]
        self.fields["language_model"].empty_label = None  # type: ignore[attr-defined]

    def changes(self) -> dict[str, Any]:
        """The settings that differ from when the form was made, as `update_chatbot` takes them."""
        changes = {name: self.cleaned_data[name] for name in self.changed_data}
        if model := changes.pop("language_model", None):
            changes["language_model_id"] = model.id
        return changes


class ChatbotForm(BehaviourForm):
    """All that an owner sets of a chatbot. The page shows it in sections."""

    class Meta(BehaviourForm.Meta):
        fields = [
            "name",
            *BehaviourForm.Meta.fields,
            "rate_limit_requests",
            "rate_limit_window_seconds",
            "stream_by_default",
            "lead_capture",
            "is_active",
        ]
        labels = {
            **BehaviourForm.Meta.labels,
            "rate_limit_requests": "Requests",
            "rate_limit_window_seconds": "Window (seconds)",
            "stream_by_default": "Stream responses by default",
            "lead_capture": "Lead capture",
            "is_active": "Active",
        }
        help_texts = {
            **BehaviourForm.Meta.help_texts,
            "stream_by_default": (
                "Send responses as server-sent events. Requests can override this with “stream”."
            ),
            "is_active": "When inactive, API calls return 404. The playground still works.",
        }


class NewChatbotForm(BehaviourForm):
    """The least that a chatbot needs. The rest has defaults, and its own page."""

    class Meta(BehaviourForm.Meta):
        fields = ["name", "language_model", "system_prompt"]


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rate limit alone, while it is being typed."""

    class Meta:
        model = Chatbot
        fields = ["rate_limit_requests", "rate_limit_window_seconds"]
