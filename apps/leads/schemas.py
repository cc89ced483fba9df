"""The shapes of the leads' operations."""

from __future__ import annotations

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


_SEARCHED: dict[str, Any] = {
    "maxLength": MAX_SEARCH_LENGTH,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
}


class LeadFiltersSchema(Schema):
    """Which leads, and which page of them."""

    page: int = Field(1, ge=1, le=MAX_PAGE)
    limit: int = Field(20, ge=1, le=100)
    status: Status | None = None
    source: Source | None = None
    search: Annotated[str, AfterValidator(_search)] | None = Field(
        None,
        description="In name and email, in any case; up to 200 characters.",
        json_schema_extra=_SEARCHED,
    )


class CreateLeadSchema(RequestSchema):
    """A lead to create. Of the optional fields, null is as good as absent."""

    name: Name
    email: Email
    phone: Phone | None = Field(None, description="With its country's code: +44 20 7946 0958.")
    source: Source | None = None
    status: Status | None = None
    metadata: Metadata | None = Field(None, description="A JSON object of at most 16 KiB.")

    def fields(self) -> LeadFields:
        """What was given, normalised."""
        given = self.model_dump(exclude_none=True, include=set(LeadFields.__annotations__))
        return cast(LeadFields, given)


class CreateLeadWithChatbotSchema(CreateLeadSchema):
    """A lead to create, and the chatbot that it is for."""

    chatbot_id: str


class UpdateLeadSchema(RequestSchema):
    """What to change: fields that are absent stay as they are. A `phone` of null is taken away;
    `metadata` is merged key by key, and a key of null is taken away."""

    # A factory: the field may be absent, while null is no value for it.
    name: Name = Field(default_factory=str)
    email: Email = Field(default_factory=str)
    phone: Phone | None = None
    source: Source = Field(default_factory=str)
    status: Status = Field(default_factory=lambda: "new")
    metadata: Metadata = Field(default_factory=dict)

    def fields(self) -> LeadFields:
        """What was given, normalised."""
        return cast(LeadFields, self.model_dump(exclude_unset=True))


class CapturedFieldSchema(ResponseSchema):
    """A detail that the visitor gave, and the message in which they did."""

    field: Literal["name", "email", "phone"]
    value: str
    message_id: str


class LeadSchema(ResponseSchema):
    """A lead. `name`, `email` and `phone` are null while they are not known."""

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
    """Where a page stands among all. `totalPages` is 0 where nothing was found."""

    page: int
    limit: int
    total: int
    total_pages: int
    has_next: bool
    has_prev: bool


class LeadListSchema(ResponseSchema):
    leads: list[LeadSchema]
    pagination: PaginationSchema


class DeletedLead(ResponseSchema):
    id: str
    deleted: Literal[True]


class LeadAnswer(ResponseSchema):
    success: Literal[True] = True
    data: LeadSchema


class LeadListAnswer(ResponseSchema):
    success: Literal[True] = True
    data: LeadListSchema


class DeletedLeadAnswer(ResponseSchema):
    success: Literal[True] = True
    data: DeletedLead
