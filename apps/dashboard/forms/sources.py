from typing import Any

from django import forms

from apps.core.text import require_storable
from apps.dashboard.forms.fields import NormalizedCharField
from apps.infrastructure.names import validate_name
from apps.knowledge.models import RefreshInterval, Source, SourceType
from apps.knowledge.models.sources import MAX_URL_LENGTH
from apps.knowledge.services.chunks import MAX_CHUNK_LENGTH
from apps.knowledge.services.sources import MAX_QUESTION_LENGTH, MAX_QUESTIONS
from apps.knowledge.services.web import (
    MAX_DEPTH,
    MAX_PAGES,
    MAX_PATTERN_LENGTH,
    MAX_PATTERNS,
    typed_url,
)

MAX_PASTED_LENGTH = 300_000
"""Characters of a text in a form, whose body may have 1 MiB. Longer ones come as files."""

_RULES = {
    SourceType.SITEMAP.value: ("max_pages", "include", "exclude"),
    SourceType.CRAWL.value: ("max_pages", "max_depth", "include", "exclude"),
}


def _normalize_text(text: str) -> str:
    return require_storable(text.replace("\r\n", "\n"))


def _lines(text: str) -> list[str]:
    """The lines of a text that are not empty, each once."""
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


class LinesField(NormalizedCharField):
    """A text of at most `max_lines` lines of at most `line_length` characters, as a list."""

    def __init__(self, *, max_lines: int, line_length: int, **kwargs: Any) -> None:
        rows = kwargs.pop("rows", 3)
        attributes = {"rows": rows, "placeholder": kwargs.pop("placeholder", "")}
        super().__init__(
            normalize=_normalize_text,
            widget=forms.Textarea(attrs={name: each for name, each in attributes.items() if each}),
            **kwargs,
        )
        self.max_lines, self.line_length = max_lines, line_length

    def clean(self, value: Any) -> Any:
        lines = _lines(super().clean(value))
        if len(lines) > self.max_lines:
            raise forms.ValidationError(f"Give at most {self.max_lines} lines.")
        if any(len(line) > self.line_length for line in lines):
            raise forms.ValidationError(f"A line has at most {self.line_length:,} characters.")
        return lines


class TitledForm(forms.Form):
    """The title of a source."""

    title = forms.CharField(max_length=300, validators=[validate_name])


class TextForm(TitledForm):
    """A text of the owner's."""

    text = NormalizedCharField(
        normalize=_normalize_text,
        max_length=MAX_PASTED_LENGTH,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="Markdown: headings divide it into passages.",
        error_messages={"max_length": "Upload a text of more than 300,000 characters as a file."},
    )


class QuestionsForm(forms.Form):
    """An answer to one or more questions."""

    questions = LinesField(
        max_lines=MAX_QUESTIONS,
        line_length=MAX_QUESTION_LENGTH,
        placeholder="How long does delivery take?",
        help_text=f"One a line, at most {MAX_QUESTIONS}: the ways in which people ask for it.",
    )
    answer = NormalizedCharField(
        normalize=_normalize_text,
        max_length=MAX_PASTED_LENGTH,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="Markdown.",
    )


class WebForm(forms.Form):
    """A web page, a sitemap or a website."""

    type = forms.ChoiceField(
        label="What to fetch",
        choices=[
            (SourceType.CRAWL.value, "Website: follow its links"),
            (SourceType.SITEMAP.value, "Sitemap: the pages that it lists"),
            (SourceType.PAGE.value, "One web page or file"),
        ],
        initial=SourceType.CRAWL.value,
        widget=forms.RadioSelect,
    )
    url = forms.CharField(
        max_length=MAX_URL_LENGTH,
        label="Address",
        widget=forms.TextInput(
            attrs={"placeholder": "https://", "autocomplete": "off", "inputmode": "url"}
        ),
    )
    refresh_every = forms.ChoiceField(
        label="Refresh",
        choices=RefreshInterval.choices,
        initial=RefreshInterval.NEVER.value,
        help_text="How often it is fetched again. Pages that have not changed cost nothing.",
    )
    max_pages = forms.IntegerField(
        required=False, min_value=1, max_value=MAX_PAGES, label="Pages, at most"
    )
    max_depth = forms.IntegerField(
        required=False, min_value=0, max_value=MAX_DEPTH, label="Links away, at most"
    )
    include = LinesField(
        max_lines=MAX_PATTERNS,
        line_length=MAX_PATTERN_LENGTH,
        required=False,
        label="Only these paths",
        placeholder="/docs",
        help_text="One a line. /docs is that page and everything below it; * stands for anything.",
    )
    exclude = LinesField(
        max_lines=MAX_PATTERNS,
        line_length=MAX_PATTERN_LENGTH,
        required=False,
        label="Not these paths",
        placeholder="/blog/*/archive",
    )

    @classmethod
    def initial_of(cls, source: Source) -> dict[str, Any]:
        """The values of a source."""
        rules = source.rules
        return {
            "type": source.type,
            "url": source.url,
            "refresh_every": source.refresh_every,
            "max_pages": rules.get("max_pages"),
            "max_depth": rules.get("max_depth"),
            "include": "\n".join(rules.get("include", ())),
            "exclude": "\n".join(rules.get("exclude", ())),
        }

    def clean_url(self) -> str:
        return typed_url(self.cleaned_data["url"])

    def rules_of(self, source_type: str) -> dict[str, Any]:
        """The rules that were given for this type, as `Source.rules` has them."""
        given = {name: self.cleaned_data[name] for name in _RULES.get(source_type, ())}
        return {name: value for name, value in given.items() if value not in (None, [])}


def edit_form(source: Source, data: Any = None) -> forms.Form:
    """The form for what can be changed in a source, with its values."""
    if source.type == SourceType.TEXT and len(source.text) <= MAX_PASTED_LENGTH:
        return TextForm(data, initial={"title": source.title, "text": source.text})
    if source.type == SourceType.QNA:
        questions = "\n".join(source.questions)
        return QuestionsForm(data, initial={"questions": questions, "answer": source.text})
    if source.url:
        return EditWebForm(data, initial={"title": source.title, **WebForm.initial_of(source)})
    return TitledForm(data, initial={"title": source.title})


class EditWebForm(TitledForm, WebForm):
    """What can be changed in a source of the web: everything but its type."""

    type = None  # type: ignore[assignment]
    field_order = ("title", "url", "refresh_every")


def changes_of(form: forms.Form, source_type: str) -> dict[str, Any]:
    """The valid values of an edit form, as `update_source` takes them."""
    values = dict(form.cleaned_data)
    if isinstance(form, QuestionsForm):
        return {"questions": values["questions"], "text": values["answer"]}
    if isinstance(form, EditWebForm):
        names = ("title", "url", "refresh_every")
        return {**{name: values[name] for name in names}, "rules": form.rules_of(source_type)}
    return values


class ChunkForm(forms.Form):
    """The text of a passage."""

    text = NormalizedCharField(
        normalize=_normalize_text,
        max_length=MAX_CHUNK_LENGTH,
        widget=forms.Textarea(attrs={"rows": 6}),
    )
