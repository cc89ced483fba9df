from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from apps.conversations.unanswered.queries import Failure
from apps.core.text import require_storable
from apps.dashboard.forms.fields import NormalizedCharField
from apps.dashboard.forms.filters import FilterForm
from apps.knowledge.models import KnowledgeBase
from apps.knowledge.services.sources import MAX_QUESTIONS, MAX_TEXT_LENGTH

MAX_WORDINGS = 10
"""Wordings of a question that are filled in."""


class UnansweredFilterForm(FilterForm):
    """The filter of the unanswered questions."""

    chatbot_id = forms.ChoiceField(required=False, label="Chatbot")
    failure = forms.ChoiceField(
        required=False, label="Why", choices=[("", "Any"), *Failure.choices]
    )


def _normalize_text(text: str) -> str:
    return require_storable(text.replace("\r\n", "\n"))


class AnswerForm(forms.Form):
    """An answer to a question, for a knowledge base."""

    knowledge_base = forms.ChoiceField(label="Knowledge base")
    questions = NormalizedCharField(
        normalize=_normalize_text,
        label="Questions",
        help_text=f"One a line, in the words that people use. At most {MAX_QUESTIONS}.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    answer = NormalizedCharField(
        normalize=_normalize_text,
        label="Answer",
        max_length=MAX_TEXT_LENGTH,
        help_text="Your chatbots find it for these questions and similar ones.",
        widget=forms.Textarea(attrs={"rows": 6}),
    )

    def __init__(
        self,
        bases: Sequence[KnowledgeBase],
        *,
        wordings: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
    ) -> None:
        lines = (" ".join(wording.split()) for wording in wordings[:MAX_WORDINGS])
        super().__init__(data, initial={"questions": "\n".join(lines)})
        field = self.fields["knowledge_base"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101
        field.choices = [(base.id, base.name) for base in bases]

    def question_lines(self) -> list[str]:
        """The questions, without empty lines."""
        lines = (line.strip() for line in self.cleaned_data["questions"].split("\n"))
        return [line for line in lines if line]
