"""Request and response schemas of leads."""

from typing import Annotated, Any, Literal, cast

from ninja import Schema
from pydantic import AfterValidator, Field

from apps.api_kit.schemas import DateTimeString, RequestSchema, ResponseSchema
from apps.core.text import single_line
from apps.leads.fields import (
    MAX_SEARCH_LENGTH,
    Email,
    LeadFields,
    Metadata,
    Name,
    Phone,
    Source,
    Status,
)

MAX_PAGE = 1_000_000


def _search(text: str) -> str:
    return single_line(MAX_SEARCH_LENGTH)(text) if text.strip() else ""


_SEARCH_SCHEMA: dict[str, Any] = {
    "maxLength": MAX_SEARCH_LENGTH,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
}


class LeadFiltersSchema(Schema):
    """Filters and the page number of a list of leads."""

    page: int = Field(1, ge=1, le=MAX_PAGE)
    limit: int = Field(20, ge=1, le=100)
    status: Status | None = None
    source: Source | None = None
    search: Annotated[str, AfterValidator(_search)] | None = Field(
        None,
        description="In name and email, in any case; up to 200 characters.",
        json_schema_extra=_SEARCH_SCHEMA,
    )


class CreateLeadSchema(RequestSchema):
    """A lead to create. Null means absent for the optional fields."""

    name: Name
    email: Email
    phone: Phone | None = Field(None, description="With the country code: +44 20 7946 0958.")
    source: Source | None = None
    status: Status | None = None
    metadata: Metadata | None = Field(None, description="A JSON object of at most 16 KiB.")

    def fields(self) -> LeadFields:
        """Return the given fields, normalised."""
        fields = self.model_dump(exclude_none=True, include=set(LeadFields.__annotations__))
        return cast(LeadFields, fields)


class CreateLeadWithChatbotSchema(CreateLeadSchema):
    """A lead to create, with its chatbot."""

    chatbot_id: str


class UpdateLeadSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged.

    A `phone` of null removes it. `metadata` is merged key by key, and a null value removes the key.
    """

    # Default factories make a field optional without accepting null.
    name: Name = Field(default_factory=str)
    email: Email = Field(default_factory=str)
    phone: Phone | None = None
    source: Source = Field(default_factory=str)
    status: Status = Field(default_factory=lambda: "new")
    metadata: Metadata = Field(default_factory=dict)

    def fields(self) -> LeadFields:
        """Return the given fields, normalised."""
        return cast(LeadFields, self.model_dump(exclude_unset=True))


class CapturedFieldSchema(ResponseSchema):
    """A detail that the visitor gave, and its message."""

    field: Literal["name", "email", "phone"]
    value: str
    message_id: str


class LeadSchema(ResponseSchema):
    """A lead. `name`, `email` and `phone` are null while unknown."""

    id: str
    chatbot_id: str
    conversation_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    source: str
    status: Status
    metadata: dict[str, Any]
    captured: list[CapturedFieldSchema]
    created_at: DateTimeString
    updated_at: DateTimeString


class PaginationSchema(ResponseSchema):
    """The position of a page. `totalPages` is 0 if there are no leads."""

    page: int
    limit: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool


class LeadListSchema(ResponseSchema):
    leads: list[LeadSchema]
    pagination: PaginationSchema
