from typing import Any, cast

from django import forms
from django.db.models import Q

from apps.chatbots.models import Chatbot, EmbeddingModel
from apps.chatbots.queries import active_embedding_models
from apps.core.text import require_storable
from apps.dashboard.forms.fields import NormalizedCharField
from apps.dashboard.forms.filters import FilterForm
from apps.dashboard.price_text import describe_embedding_model
from apps.infrastructure.names import validate_name
from apps.knowledge.models import SourceType
from apps.knowledge.models.sources import INDEXING_STATUSES
from apps.knowledge.queries import knowledge_bases_for
from apps.knowledge.search.services import MAX_QUESTION_LENGTH


class EmbeddingModelField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A choice of embedding models, each with its price and what embedding `tokens` costs."""

    tokens = 0

    def label_from_instance(self, obj: Any) -> str:
        return describe_embedding_model(obj, tokens=self.tokens)


class BaseNameForm(forms.Form):
    """The name of a knowledge base."""

    name = forms.CharField(
        max_length=120,
        validators=[validate_name],
        help_text="What it is about, such as Shop or Handbook.",
    )


class NewBaseForm(BaseNameForm):
    """A new knowledge base."""

    embedding_model = EmbeddingModelField(
        queryset=EmbeddingModel.objects.none(),
        label="Embedding model",
        empty_label=None,
        help_text="Finds passages by their meaning. You can change it later.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        models = active_embedding_models().order_by("-is_default", "name")
        self.fields["embedding_model"].queryset = models  # type: ignore[attr-defined]


class ChangeModelForm(forms.Form):
    """Another embedding model for a knowledge base, whose sources have `tokens` in all."""

    embedding_model = EmbeddingModelField(
        queryset=EmbeddingModel.objects.none(), label="Embedding model", empty_label=None
    )

    def __init__(self, *args: Any, tokens: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["embedding_model"]
        field.tokens = tokens  # type: ignore[attr-defined]
        field.queryset = active_embedding_models().order_by("-is_default", "name")  # type: ignore[attr-defined]


class SourceFilterForm(FilterForm):
    """The filter of a knowledge base's sources."""

    search = forms.CharField(
        required=False,
        max_length=200,
        label="Search",
        widget=forms.TextInput(attrs={"placeholder": "Title or address", "autocomplete": "off"}),
    )
    type = forms.ChoiceField(
        required=False, label="Type", choices=[("", "Any"), *SourceType.choices]
    )
    status = forms.ChoiceField(
        required=False,
        label="Status",
        choices=[
            ("", "Any"),
            ("ready", "Ready"),
            ("indexing", "Being indexed"),
            ("failed", "Failed"),
        ],
    )

    def conditions(self) -> Q:
        """The filter of the sources."""
        found = self.filters()
        condition = Q()
        if search := found.get("search"):
            condition &= Q(title__icontains=search) | Q(url__icontains=search)
        if source_type := found.get("type"):
            condition &= Q(type=source_type)
        if status := found.get("status"):
            statuses = INDEXING_STATUSES if status == "indexing" else (status,)
            condition &= Q(status__in=statuses)
        return condition


class SearchForm(forms.Form):
    """A question to search a knowledge base for."""

    question = NormalizedCharField(
        normalize=require_storable,
        max_length=MAX_QUESTION_LENGTH,
        label="Question",
        widget=forms.TextInput(
            attrs={"placeholder": "How long does delivery take?", "autocomplete": "off"}
        ),
    )


class ChatbotKnowledgeForm(forms.ModelForm):  # type: ignore[type-arg]
    """Which knowledge bases a chatbot answers from, and how."""

    bases = forms.MultipleChoiceField(
        required=False, label="Knowledge bases", widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = Chatbot
        fields = [
            "knowledge_mode",
            "knowledge_passages",
            "knowledge_tokens",
            "knowledge_not_found_reply",
        ]
        labels = {
            "knowledge_mode": "Answers",
            "knowledge_passages": "Passages",
            "knowledge_tokens": "Tokens",
            "knowledge_not_found_reply": "Reply when nothing is found",
        }
        help_texts = {
            "knowledge_mode": "",
            "knowledge_passages": "Shown to the model for one question, at most.",
            "knowledge_tokens": "Of all passages together, at most. 100 tokens are about 75 words.",
            "knowledge_not_found_reply": "Used with “Only”. Such a response costs nothing.",
        }
        widgets = {"knowledge_mode": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        bases = knowledge_bases_for(self.instance.workspace_id).values_list("id", "name")
        cast("forms.ChoiceField", self.fields["bases"]).choices = list(bases)

    def changes(self) -> dict[str, Any]:
        """The changed settings, as `update_chatbot` takes them."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name != "bases"}
