"""Types that validate and normalise the fields of a lead."""

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
    """The fields to set on a lead; absent fields stay unchanged.

    A `phone` of None removes the phone number; `metadata` is merged by `merge_metadata`.
    """

    name: str
    email: str
    phone: str | None
    source: str
    status: str
    metadata: dict[str, Any]


def merge_metadata(current: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Merge metadata by its top-level keys; None removes a key. Raises ValueError if too large."""
    merged = {**current, **changes}
    return validate_json_object({key: value for key, value in merged.items() if value is not None})


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
