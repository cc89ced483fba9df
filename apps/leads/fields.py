"""The fields of a lead as callers give them: checked, and in the form in which they are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field

from apps.api_kit.schemas import single_line_field
from apps.core.json_limits import validate_json_object
from apps.core.text import single_line
from apps.leads.contact_formats import normalize_email, normalize_phone

MAX_NAME_LENGTH = 200
MAX_SOURCE_LENGTH = 60
MAX_SEARCH_LENGTH = 200


class LeadFields(TypedDict, total=False):
    """What to set of a lead. Only the fields that are there are touched; a `phone` of None is
    taken away; `metadata` is merged (see `merge_metadata`)."""

    name: str
    email: str
    phone: str | None
    source: str
    status: str
    metadata: dict[str, Any]


def merge_metadata(kept: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Metadata after a change: a key that is given replaces what was under it, whole; null takes
    it away; keys that are not given stay. Raises ValueError if the whole becomes too large."""
    both = {**kept, **given}
    return validate_json_object({key: value for key, value in both.items() if value is not None})


_EMAIL = {"format": "email", "minLength": 3, "examples": ["ada@example.com"]}
_PHONE = {"format": "phone", "minLength": 3, "examples": ["+442079460958"]}
Name = Annotated[
    str,
    AfterValidator(single_line(MAX_NAME_LENGTH)),
    single_line_field(MAX_NAME_LENGTH, examples=["Ada Lovelace"]),
]
Email = Annotated[
    str, Field(max_length=320, json_schema_extra=_EMAIL), AfterValidator(normalize_email)
]
Phone = Annotated[
    str, Field(max_length=40, json_schema_extra=_PHONE), AfterValidator(normalize_phone)
]
Source = Annotated[
    str,
    AfterValidator(single_line(MAX_SOURCE_LENGTH)),
    single_line_field(MAX_SOURCE_LENGTH, examples=["pricing page"]),
]
Status = Literal["new", "contacted", "qualified", "converted", "lost", "follow_up"]
Metadata = Annotated[dict[str, Any], BeforeValidator(validate_json_object)]
