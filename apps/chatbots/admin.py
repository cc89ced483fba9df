import copy
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html_join

from apps.accounts.models import User
from apps.audit.services import staff_actor
from apps.chatbots.model_test import QUESTION, SENTENCE, run_embedding_test, run_model_test
from apps.chatbots.models import (
    Chatbot,
    ChatbotVersion,
    EmbeddingModel,
    LanguageModel,
    PriceChange,
)
from apps.chatbots.services import (
    EMBEDDING_SPACE_FIELDS,
    VERSIONED_FIELDS,
    delete_chatbot,
    prepare_embedding_model,
    save_embedding_model,
    save_language_model,
    save_new_chatbot,
    update_chatbot,
)
from apps.infrastructure.admin import ReadOnlyAdmin, StaffAdmin, detail_action
from apps.llm.catalogue import resolve_model
from apps.llm.errors import KeyNotAllowed


class LanguageModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form that rejects a model id without a provider."""

    class Meta:
        model = LanguageModel
        fields = "__all__"  # noqa: DJ007 — staff edit every field that is editable

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            resolve_model(
                cleaned["litellm_model"],
                api_base=cleaned["api_base"],
                api_key_env=cleaned["api_key_env"],
            )
        except KeyNotAllowed as error:
            raise ValidationError({"api_key_env": str(error)}) from error
        except ValueError as error:
            raise ValidationError({"litellm_model": str(error)}) from error
        return cleaned


PRICES = ["created_at", "actor_label", "old", "new"]


@admin.register(PriceChange)
class PriceChangeAdmin(ReadOnlyAdmin):
    list_display = ["model_name", *PRICES]
    list_filter = ["created_at"]
    search_fields = ["model_name", "=language_model__id", "actor_label"]


@admin.register(LanguageModel)
class LanguageModelAdmin(StaffAdmin):
    form = LanguageModelForm
    list_display = ["name", "litellm_model", "provider", "credits_per_reply", "is_active"]
    list_filter = ["provider", "is_active"]
    search_fields = ["name", "litellm_model"]
    readonly_fields = ["id", "provider", "provider_model", "created_at", "price_history"]
    actions_detail = ["test"]

    @detail_action(description="Test this model", permission="test", icon="play_arrow")
    def test(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        model = self.get_object_or_404(request, object_id)
        # A test costs money, so following a link must not run it.
        result = run_model_test(model) if request.method == "POST" else None
        return self.render_page(
            request,
            "chatbots/test_model",
            f"Test {model.name}",
            question=QUESTION,
            result=result,
        )

    @admin.display(description="Price history")
    def price_history(self, model: LanguageModel) -> str:
        """Render the price changes, newest first: when, who, old and new price."""
        lines = [
            (
                f"{change.created_at:%Y-%m-%d %H:%M}",
                change.actor_label,
                change.old or "new",
                change.new,
            )
            for change in model.price_changes.all()
        ]
        return format_html_join("", "<p>{} UTC, {}: {} → {}</p>", lines) or "—"

    def has_test_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("chatbots.test_languagemodel")

    def save_model(self, request: HttpRequest, obj: LanguageModel, form: Any, change: bool) -> None:
        save_language_model(model=obj, actor=staff_actor(cast(User, request.user), request))


class EmbeddingModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form that rejects what the catalogue's service does, beside its field."""

    class Meta:
        model = EmbeddingModel
        fields = "__all__"  # noqa: DJ007 — staff edit every field that is editable

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in {"query_prefix", "passage_prefix"} & self.fields.keys():
            cast(forms.CharField, self.fields[name]).strip = False
        if "dimensions" in self.fields:
            self.fields["dimensions"].required = False  # known for many models

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        candidate = copy.copy(self.instance)
        for name, value in cleaned.items():
            setattr(candidate, name, value)
        try:
            prepare_embedding_model(candidate)
        except ValidationError as error:
            raise error from None
        except ValueError as error:
            raise ValidationError({"litellm_model": str(error)}) from error
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # The service moves the default from one row to another.
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]


@admin.register(EmbeddingModel)
class EmbeddingModelAdmin(StaffAdmin):
    form = EmbeddingModelForm
    list_display = ["name", "litellm_model", "provider", "dimensions", "is_default", "is_active"]
    list_filter = ["provider", "is_active"]
    search_fields = ["name", "litellm_model"]
    readonly_fields = ["id", "provider", "provider_model", "created_at"]
    actions_detail = ["test"]

    @detail_action(description="Test this model", permission="test", icon="play_arrow")
    def test(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        model = self.get_object_or_404(request, object_id)
        # A test costs money, so following a link must not run it.
        result = run_embedding_test(model) if request.method == "POST" else None
        return self.render_page(
            request,
            "chatbots/test_embedding_model",
            f"Test {model.name}",
            sentence=SENTENCE,
            result=result,
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: EmbeddingModel | None = None
    ) -> list[str]:
        """Make what stored vectors depend on read-only."""
        fixed = [*self.readonly_fields]
        return fixed if obj is None else [*EMBEDDING_SPACE_FIELDS, *fixed]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Protect the default: new knowledge bases need one."""
        *found, protected = super().get_deleted_objects(objs, request)
        text = "{} is the default. Make another model the default first."
        return *found, [*protected, *(text.format(each.name) for each in objs if each.is_default)]

    def has_test_permission(self, request: HttpRequest, *_: Any) -> bool:
        return request.user.has_perm("chatbots.test_embeddingmodel")

    def save_model(
        self, request: HttpRequest, obj: EmbeddingModel, form: Any, change: bool
    ) -> None:
        save_embedding_model(model=obj)


@admin.register(Chatbot)
class ChatbotAdmin(StaffAdmin):
    list_display = ["name", "workspace", "language_model", "stream_by_default", "is_active"]
    list_select_related = ["workspace", "language_model"]
    list_filter = ["is_active", "stream_by_default", "language_model"]
    search_fields = ["name", "workspace__slug", "=id"]
    autocomplete_fields = ["workspace", "language_model"]
    readonly_fields = ["id", "version", "deleted_at", "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Chatbot | None = None) -> list[str]:
        """Make the workspace read-only: the chatbot's conversations belong to it."""
        fixed = [*self.readonly_fields]
        return fixed if obj is None else ["workspace", *fixed]

    def save_model(self, request: HttpRequest, obj: Chatbot, form: Any, change: bool) -> None:
        actor = staff_actor(cast(User, request.user), request)
        if not change:
            save_new_chatbot(chatbot=obj, actor=actor)
            return
        changes = {name: getattr(obj, name) for name in VERSIONED_FIELDS}
        update_chatbot(chatbot=obj, actor=actor, changes=changes)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List the chatbots alone: their rows stay, so nothing is deleted with them."""
        return [str(chatbot) for chatbot in objs], {}, set(), []

    def delete_model(self, request: HttpRequest, obj: Chatbot) -> None:
        delete_chatbot(chatbot=obj, actor=staff_actor(cast(User, request.user), request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Chatbot]) -> None:
        for chatbot in queryset.filter(deleted_at=None):
            self.delete_model(request, chatbot)


@admin.register(ChatbotVersion)
class ChatbotVersionAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "workspace", "chatbot", "number", "actor_label", "changed"]
    list_select_related = ["workspace", "chatbot"]
    list_filter = ["actor_kind", "created_at"]
    search_fields = ["id", "chatbot_id", "workspace__slug"]
