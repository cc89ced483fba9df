"""The fields of a lead as callers give them: checked, and in the form in which they are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field

from apps.api_kit.schemas import single_line_field
from apps.core.json_limits import validate_json_object
from apps.core.text import single_line
from apps.leads.contact_formats import email_of, phone_of

NAME_LENGTH = 200
SOURCE_LENGTH = 60
SEARCH_LENGTH = 200


class LeadFields(TypedDict, total=False):
    """What to set of a lead. Only the fields that are there are touched; a `phone` of None is
    taken away; `metadata` is merged (see `merged`)."""

    name: str
    email: str
    phone: str | None
    source: str
    status: str
    metadata: dict[str, Any]


def merged(kept: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Metadata after a change: a key that is given replaces what was under it, whole; null takes
    it away; keys that are not given stay. Raises ValueError if the whole becomes too large."""
    both = {**kept, **given}
    return validate_json_object({key: value for key, value in both.items() if value is not None})


_EMAIL = {"format": "email", "minLength": 3, "examples": ["ada@example.com"]}
_PHONE = {"format": "phone", "minLength": 3, "examples": ["+442079460958"]}
Name = Annotated[
    str,
    AfterValidator(single_line(NAME_LENGTH)),
    single_line_field(NAME_LENGTH, examples=["Ada Lovelace"]),
]
Email = Annotated[str, Field(max_length=320, json_schema_extra=_EMAIL), AfterValidator(email_of)]
Phone = Annotated[str, Field(max_length=40, json_schema_extra=_PHONE), AfterValidator(phone_of)]
Source = Annotated[
    str,
    AfterValidator(single_line(SOURCE_LENGTH)),
    single_line_field(SOURCE_LENGTH, examples=["pricing page"]),
]
Status = Literal["new", "contacted", "qualified", "converted", "lost", "follow_up"]
Metadata = Annotated[dict[str, Any], BeforeValidator(validate_json_object)]
