"""Field types of the requests."""

from typing import Annotated, Literal

from django.core.files.uploadedfile import UploadedFile as DjangoFile
from ninja.files import UploadedFile
from pydantic import AfterValidator, Field, PlainValidator

from apps.api_kit.schemas import ACCEPT_WHOLE_FLOAT, StorableText, single_line_field
from apps.core.text import NOT_BLANK_PATTERN, require_storable, single_line
from apps.knowledge.models.sources import MAX_URL_LENGTH
from apps.knowledge.services.sources import MAX_QUESTION_LENGTH, MAX_QUESTIONS, MAX_TEXT_LENGTH
from apps.knowledge.services.web import MAX_DEPTH, MAX_PAGES, MAX_PATTERN_LENGTH, MAX_PATTERNS


def _require_words(text: str) -> str:
    if not text.strip():
        raise ValueError("This must not be only white space.")
    return text


def _require_file(value: object) -> object:
    if not isinstance(value, DjangoFile):
        raise ValueError("Send a file, with the name of the file.")
    return value


WrittenText = Annotated[
    StorableText,
    AfterValidator(_require_words),
    Field(json_schema_extra={"pattern": NOT_BLANK_PATTERN}),
]
BaseName = Annotated[str, AfterValidator(single_line(120)), single_line_field(120)]
Title = Annotated[str, AfterValidator(single_line(300)), single_line_field(300)]
Text = Annotated[WrittenText, Field(min_length=1, max_length=MAX_TEXT_LENGTH)]
Question = Annotated[WrittenText, Field(min_length=1, max_length=MAX_QUESTION_LENGTH)]
Questions = Annotated[list[Question], Field(min_length=1, max_length=MAX_QUESTIONS)]
FormFile = Annotated[UploadedFile, PlainValidator(_require_file)]
"""A file of a form."""
_URL = {"format": "page-url", "examples": ["https://shop.example/help"]}
Url = Annotated[
    str,
    AfterValidator(require_storable),
    Field(min_length=8, max_length=MAX_URL_LENGTH, json_schema_extra=_URL),
]
RefreshEvery = Literal["never", "daily", "weekly"]
MaxPages = Annotated[int, Field(ge=1, le=MAX_PAGES), ACCEPT_WHOLE_FLOAT]
MaxDepth = Annotated[int, Field(ge=0, le=MAX_DEPTH), ACCEPT_WHOLE_FLOAT]
PathPattern = Annotated[
    str, AfterValidator(single_line(MAX_PATTERN_LENGTH)), single_line_field(MAX_PATTERN_LENGTH)
]
PathPatterns = Annotated[list[PathPattern], Field(max_length=MAX_PATTERNS)]
