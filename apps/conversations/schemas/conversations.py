"""Schemas of conversations: filters, changes, responses."""

from datetime import datetime
from typing import Annotated, Any, Self

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from apps.api_kit.openapi import EXAMPLE_ID
from apps.api_kit.schemas import (
    Id,
    RequestSchema,
    ResponseSchema,
    StorableText,
    UtcDateTime,
    single_line_field,
)
from apps.conversations.filters import RatedFilter
from apps.conversations.models import NOTE_LENGTH, SOURCE_LENGTH, TITLE_LENGTH
from apps.conversations.schemas.turns import Status
from apps.conversations.summaries import ConversationSummary
from apps.core.text import single_line

SEARCH_LENGTH = 200
_SEARCH_JSON_SCHEMA: dict[str, Any] = {
    "maxLength": SEARCH_LENGTH,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$",
}


def _validate_search(text: str) -> str:
    return single_line(SEARCH_LENGTH)(text) if text.strip() else ""


def _parse_bool(value: object) -> object:
    """Convert `true` and `false` of a query string; other values are left to be refused."""
    return {"true": True, "false": False}.get(str(value), value) if value != "" else value


Title = Annotated[str, AfterValidator(single_line(TITLE_LENGTH)), single_line_field(TITLE_LENGTH)]
Note = Annotated[StorableText, Field(max_length=NOTE_LENGTH)]


class ConversationFilterSchema(Schema):
    """Filters for conversations. All given filters must match."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    chatbot_id: Id | None = None
    status: Status | None = Field(None, description="Status of the last turn.")
    source: (
        Annotated[str, AfterValidator(single_line(SOURCE_LENGTH)), single_line_field(SOURCE_LENGTH)]
        | None
    ) = Field(None, description="`metadata.source` of the first message, or `api`.")
    has_lead: Annotated[bool, Field(strict=True), BeforeValidator(_parse_bool)] | None = Field(
        None, description="Whether a lead was captured first in it."
    )
    rated: RatedFilter | None = Field(
        None,
        description="With an answer rated `up`, `down` or either; `none`: without a rating.",
    )
    search: Annotated[str, AfterValidator(_validate_search)] | None = Field(
        None,
        description="Words in one message or in the title, or the id of a conversation, turn or"
        " message.",
        json_schema_extra=_SEARCH_JSON_SCHEMA,
    )
    since: UtcDateTime | None = Field(
        None, alias="from", description="With a last message at this time or later."
    )
    before: UtcDateTime | None = Field(
        None, alias="to", description="With a last message before this time."
    )


class UpdateConversationSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged, null removes the value."""

    title: Title | None = Field(None, examples=["Order 4711 arrived broken"])
    note: Note | None = Field(None, examples=["Refunded on Monday."])


class LastTurnSchema(ResponseSchema):
    """The newest turn and its status."""

    id: str
    status: Status


class RatingCountsSchema(ResponseSchema):
    """The number of answers with each rating."""

    up: int
    down: int


class ConversationSchema(ResponseSchema):
    """A conversation. You set `title` and `note`; `preview` is the start of the first message."""

    id: str
    chatbot_id: str
    title: str | None
    note: str | None
    preview: str
    source: str
    has_lead: bool
    last_turn: LastTurnSchema | None
    ratings: RatingCountsSchema
    created_at: datetime
    last_message_at: datetime

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": EXAMPLE_ID,
                "chatbotId": "c0mwsqprcgdxla9n6240a9689",
                "title": "Order 4711 arrived broken",
                "note": None,
                "preview": "My parcel came, but the cup in it is broken.",
                "source": "website",
                "hasLead": True,
                "lastTurn": {"id": "c0mwsqprcf78vjsffuk9kr55v", "status": "completed"},
                "ratings": {"up": 1, "down": 0},
                "createdAt": "2026-11-23T07:00:00Z",
                "lastMessageAt": "2026-11-23T07:02:11.52Z",
            }
        }
    )

    @classmethod
    def from_summary(cls, row: ConversationSummary) -> Self:
        conversation = row.conversation
        return cls.from_row(
            conversation,
            title=conversation.title or None,
            note=conversation.note or None,
            preview=row.preview,
            has_lead=row.has_lead,
            last_turn=LastTurnSchema.from_row(row.turn) if row.turn else None,
            ratings=RatingCountsSchema(up=row.ups, down=row.downs),
        )


class ConversationListSchema(ResponseSchema):
    conversations: list[ConversationSchema]
    next_cursor: str | None
