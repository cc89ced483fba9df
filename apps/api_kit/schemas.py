"""What the shapes of ninja's operations share: camelCase names, strict bodies, plain sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from ninja import Query, Schema
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

from apps.api_kit.pagination import CURSOR_PATTERN
from apps.core.ids import ID_LENGTH
from apps.core.text import SINGLE_LINE_PATTERN, printable_name, require_storable

T = TypeVar("T")

DateTimeString = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A moment as ISO 8601 with its offset."""

Id = Annotated[str, Field(pattern=rf"^c[0-9a-z]{{{ID_LENGTH - 1}}}$")]
"""An id that a caller names in a body or a query."""


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("This is before or after all that can be kept.") from None


def _iso_moment(moment: object) -> object:
    # What reads dates takes numbers too, as seconds since 1970.
    iso = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+"
    if not isinstance(moment, datetime) and not re.fullmatch(iso, str(moment)):
        raise ValueError("Write a moment as 2026-11-26T09:30:00Z.")
    return moment


UtcDateTime = Annotated[
    AwareDatetime, Field(strict=False), BeforeValidator(_iso_moment), AfterValidator(_in_utc)
]
"""A moment that a caller names, with its offset."""


def _iso_day(day: object) -> object:
    if isinstance(day, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
        raise ValueError("Write a day as 2026-11-26.")
    return day


IsoDate = Annotated[date, BeforeValidator(_iso_day)]
"""A day that a caller names in a query."""


def _whole(number: object) -> object:
    """JSON knows one kind of number: 5.0 is as whole as 5."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


ACCEPT_WHOLE_FLOAT = BeforeValidator(_whole)
"""After the bounds of an int in a body: it may be written either way."""

StorableText = Annotated[
    str, AfterValidator(require_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
"""Text of any length that PostgreSQL can keep: bound it with a Field."""


def single_line_field(max_length: int, **schema: Any) -> Any:
    """How the document shows a field that is checked by `line_of(most)`."""
    shown: dict[str, Any] = {
        "minLength": 1,
        "maxLength": max_length,
        "pattern": SINGLE_LINE_PATTERN,
    }
    return Field(json_schema_extra=shown | schema)


PageLimit = Annotated[int, Query(ge=1, le=100, description="How many rows at most.")]
PageCursor = Annotated[
    str | None,
    Query(pattern=CURSOR_PATTERN, description="The `nextCursor` of the page before."),
]

_MESSAGES = {
    "missing": "This field is required.",
    "extra_forbidden": "This field is not known here.",
    "string_type": "This must be a string.",
    "dict_type": "This must be a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "model_type": "Send a JSON object.",
}


class ResponseSchema(Schema):
    """What goes out: camelCase on the wire, our own names in code."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="wrap")
    @classmethod
    def _run_root_validator(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Ninja looks each field up as a template would, which a page of a list pays for 1,000
        times. Our shapes are made from what they say, and once."""
        return handler(values)


class RequestSchema(Schema):
    """What comes in: types are exact, and a field that is not known is refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class SuccessSchema(ResponseSchema, Generic[T]):
    """The one envelope."""

    success: Literal[True] = True
    data: T


class DeletedSchema(ResponseSchema):
    """What is gone."""

    id: str
    deleted: Literal[True] = True


def error_message(problem: Mapping[str, Any]) -> str:
    """What pydantic found wrong with one field, as a sentence for the caller."""
    if problem["type"] in _MESSAGES:
        return _MESSAGES[problem["type"]]
    message = str(problem["msg"]).removeprefix("Value error, ")
    return message if message.endswith(".") else f"{message}."


def error_details(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> dict[str, list[str]]:
    """pydantic's errors as details: field → sentences. `skip`: steps of the place to leave out."""
    details: dict[str, list[str]] = {}
    for problem in errors[:20]:
        steps = [printable_name(step) for step in problem["loc"][skip:]]
        details.setdefault(".".join(steps) or "body", []).append(error_message(problem))
    return details
