"""Field types of the requests."""

from typing import Annotated

from pydantic import AfterValidator, Field

from apps.api_kit.schemas import StorableText, single_line_field
from apps.core.text import NOT_BLANK_PATTERN, single_line
from apps.knowledge.services.sources import MAX_QUESTION_LENGTH, MAX_QUESTIONS, MAX_TEXT_LENGTH


def _require_words(text: str) -> str:
    if not text.strip():
        raise ValueError("This must not be only white space.")
    return text


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
