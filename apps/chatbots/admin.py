from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.chatbots.models import Chatbot, LanguageModel
from apps.chatbots.services import save_model
from apps.core.admin import StaffAdmin
from apps.llm.catalogue import resolve


class LanguageModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses a model id that nobody could speak to, before it is saved."""

    class Meta:
        model = LanguageModel
        fields = "__all__"  # noqa: DJ007 — staff edit every field that is editable

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            resolve(
                cleaned["litellm_model"],
                api_base=cleaned["api_base"],
                api_key_env=cleaned["api_key_env"],
            )
        except ValueError as error:
            raise ValidationError({"litellm_model": str(error)}) from error
        return cleaned


@admin.register(LanguageModel)
class LanguageModelAdmin(StaffAdmin):
    form = LanguageModelForm
    list_display = ["name", "litellm_model", "provider", "credits_per_reply", "is_active"]
    list_filter = ["provider", "is_active"]
    search_fields = ["name", "litellm_model"]
    readonly_fields = ["id", "provider", "provider_model", "created_at"]

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        save_model(model=obj)


@admin.register(Chatbot)
class ChatbotAdmin(StaffAdmin):
    list_display = ["name", "workspace", "language_model", "stream_by_default", "is_active"]
    list_select_related = ["workspace", "language_model"]
    list_filter = ["is_active", "stream_by_default", "language_model"]
    search_fields = ["name", "workspace__slug", "=id"]
    autocomplete_fields = ["workspace", "language_model"]
    readonly_fields = ["id", "created_at"]
