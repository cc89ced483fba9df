"""Base classes and field types of the REST API's request and response schemas.

Every schema class ends in `…Schema`, for requests (`CreateChatbotSchema`) and responses
(`ChatbotSchema`, `ChatbotListSchema`) alike. The document names them without the suffix.
"""

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
"""A date and time in a response: ISO 8601 with an offset."""

Id = Annotated[str, Field(pattern=rf"^c[0-9a-z]{{{ID_LENGTH - 1}}}$")]
"""An id in a request body or query."""


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("This is before or after all that can be kept.") from None


def _require_iso_datetime(value: object) -> object:
    # pydantic would also accept numbers, as seconds since 1970.
    iso = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ].+"
    if not isinstance(value, datetime) and not re.fullmatch(iso, str(value)):
        raise ValueError("Write a moment as 2026-11-26T09:30:00Z.")
    return value


UtcDateTime = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_require_iso_datetime),
    AfterValidator(_to_utc),
]
"""A date and time in a request: ISO 8601 with an offset, converted to UTC."""


def _require_iso_date(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("Write a day as 2026-11-26.")
    return value


IsoDate = Annotated[date, BeforeValidator(_require_iso_date)]
"""A date in a query."""


def _whole_float_to_int(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


ACCEPT_WHOLE_FLOAT = BeforeValidator(_whole_float_to_int)
"""Lets an int of a strict body be written as 5.0: JSON has one kind of number.

Put it after the Field with the bounds, so that it runs before them.
"""

StorableText = Annotated[
    str, AfterValidator(require_storable), Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})
]
"""Text without NUL and lone surrogates. Bound its length with a Field."""


def single_line_field(max_length: int, **schema: Any) -> Any:
    """The Field that documents a value validated by `single_line(max_length)`."""
    line: dict[str, Any] = {"minLength": 1, "maxLength": max_length, "pattern": SINGLE_LINE_PATTERN}
    return Field(json_schema_extra=line | schema)


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
    """Base of responses: snake_case in code, camelCase in JSON."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="wrap")
    @classmethod
    def _run_root_validator(
        cls, values: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Skip ninja's lookup of each field by Django's template rules: it is slow in long lists,
        and our schemas are built from their own fields."""
        return handler(values)

    @classmethod
    def from_row(cls, row: object, **values: Any) -> Self:
        """Return the schema with the row's attributes, except the fields given as `values`."""
        names = cls.model_fields.keys() - values.keys()
        return cls(**{name: getattr(row, name) for name in names}, **values)


class RequestSchema(Schema):
    """Base of request bodies: exact types, camelCase in JSON, unknown fields are refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class SuccessSchema(ResponseSchema, Generic[T]):
    """The envelope of every success: `{"success": true, "data": …}`."""

    success: Literal[True] = True
    data: T


class DeletedSchema(ResponseSchema):
    """The id of a deleted row."""

    id: str
    deleted: Literal[True] = True


def error_message(error: Mapping[str, Any]) -> str:
    """A pydantic error as a message for the caller."""
    if error["type"] in _MESSAGES:
        return _MESSAGES[error["type"]]
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if message.endswith(".") else f"{message}."


def error_details(errors: Sequence[Mapping[str, Any]], *, skip: int = 0) -> dict[str, list[str]]:
    """pydantic's errors as `ValidationFailed.details`: field → messages.

    `skip`: how many leading parts of each error's location to leave out.
    """
    details: dict[str, list[str]] = {}
    for error in errors[:20]:
        steps = [printable_name(step) for step in error["loc"][skip:]]
        details.setdefault(".".join(steps) or "body", []).append(error_message(error))
    return details
