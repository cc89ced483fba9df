from typing import Any

from django import forms
from django.db.models import QuerySet

from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.queries import active_language_models
from apps.dashboard.price_text import describe_price


class LanguageModelField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice of language models, each with its price."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.name} · {describe_price(obj.price)}"


def language_models_for(chatbot: Chatbot) -> QuerySet[LanguageModel]:
    """The models to choose from: the active ones, and the one that the chatbot has."""
    return active_language_models() | LanguageModel.objects.filter(pk=chatbot.language_model_id)


class BehaviourForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings that shape the reply. If valid, `instance` is the chatbot with the changes."""

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
            "history_limit": "History limit",
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
        """The changed settings, as `update_chatbot` takes them."""
        changes = {name: self.cleaned_data[name] for name in self.changed_data}
        if model := changes.pop("language_model", None):
            changes["language_model_id"] = model.id
        return changes


class ChatbotForm(BehaviourForm):
    """All settings of a chatbot."""

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
    """The settings without defaults."""

    class Meta(BehaviourForm.Meta):
        fields = ["name", "language_model", "system_prompt"]


class RateLimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """The rate limit alone, for the preview while typing."""

    class Meta:
        model = Chatbot
        fields = ["rate_limit_requests", "rate_limit_window_seconds"]
