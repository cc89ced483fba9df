"""Request and response schemas of the export endpoints."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from apps.api_kit.openapi import EXAMPLE_ID
from apps.api_kit.schemas import Id, RequestSchema, ResponseSchema, UtcDateTime, single_line_field
from apps.conversations.exports.services import ExportFilters
from apps.conversations.filters import RatedFilter
from apps.conversations.models import SOURCE_LENGTH
from apps.conversations.models.export import Export
from apps.conversations.schemas import SEARCH_LENGTH, Status
from apps.core.text import single_line

FormatName = Literal["csv", "jsonl"]
StatusName = Literal["pending", "running", "completed", "failed"]
_ALIASES = {"since": "from", "before": "to"}


class CreateExportSchema(RequestSchema):
    """The format, and filters for the conversations. Without filters, all are exported.

    The filters are those of the list of conversations: `from` and `to` bound the last message.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"format": "csv"},
                {
                    "format": "jsonl",
                    "chatbotId": EXAMPLE_ID,
                    "from": "2026-11-01T00:00:00Z",
                    "to": "2026-12-01T00:00:00Z",
                },
            ]
        },
    )

    format: FormatName
    chatbot_id: Id | None = None
    status: Status | None = Field(None, description="Status of the last turn.")
    source: (
        Annotated[str, AfterValidator(single_line(SOURCE_LENGTH)), single_line_field(SOURCE_LENGTH)]
        | None
    ) = None
    has_lead: bool | None = None
    rated: RatedFilter | None = None
    search: (
        Annotated[str, AfterValidator(single_line(SEARCH_LENGTH)), single_line_field(SEARCH_LENGTH)]
        | None
    ) = None
    since: UtcDateTime | None = Field(None, alias="from")
    before: UtcDateTime | None = Field(None, alias="to")

    def to_filters(self) -> ExportFilters:
        """Return the filters without the format."""
        return ExportFilters(**self.model_dump(exclude={"format"}))


class ExportProgressSchema(ResponseSchema):
    """Progress of writing the file. `conversations` is null until they are counted."""

    rows: int
    conversations_done: int
    conversations: int | None


class ExportSchema(ResponseSchema):
    """An export. `error` says why it failed; `bytes` is the size written so far."""

    id: str
    format: FormatName
    status: StatusName
    filters: dict[str, str | bool]
    progress: ExportProgressSchema
    bytes: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: Annotated[datetime, Field(description="When the export is deleted.")]

    @classmethod
    def from_export(cls, export: Export) -> Self:
        return cls.from_row(
            export,
            filters={
                _ALIASES.get(name, to_camel(name)): value for name, value in export.filters.items()
            },
            progress=ExportProgressSchema(
                rows=export.rows,
                conversations_done=export.conversations_done,
                conversations=export.conversations_total,
            ),
            bytes=export.size,
            error=export.error or None,
        )


class ExportListSchema(ResponseSchema):
    exports: list[ExportSchema]
    next_cursor: str | None
