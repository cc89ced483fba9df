"""Schemas of messages: ratings, sources of answers, responses."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field

from apps.api_kit.schemas import DateTimeString, RequestSchema, ResponseSchema, StorableText
from apps.conversations.models import COMMENT_LENGTH, Citation, Message, Rating, Role
from apps.conversations.schemas.sources import AnswerSourceSchema, Knowledge, answer_sources

Comment = Annotated[StorableText, Field(max_length=COMMENT_LENGTH)]


class RateMessageSchema(RequestSchema):
    """A rating of an answer, with or without a comment."""

    rating: Literal["up", "down"]
    comment: Comment | None = Field(None, examples=["Answers another question."])


class RatedBySchema(ResponseSchema):
    """Who rated. `label` is an email address, or the name and masked secret of an API key."""

    kind: Literal["person", "api_key"]
    label: str


class RatingSchema(ResponseSchema):
    """The latest rating of an answer."""

    rating: Literal["up", "down"]
    comment: str | None
    rated_by: RatedBySchema
    rated_at: DateTimeString

    @classmethod
    def from_rating(cls, rating: Rating) -> Self:
        return cls(
            rating=rating.value,  # type: ignore[arg-type]
            comment=rating.comment or None,
            rated_by=RatedBySchema(kind=rating.actor_kind, label=rating.actor_label),  # type: ignore[arg-type]
            rated_at=rating.created_at.isoformat(),
        )


class MessageSchema(ResponseSchema):
    """A message. Its metadata is never returned, because it may identify people.

    `knowledge` and `sources` are those of an answer; a turn without knowledge has null and none.
    """

    id: str
    turn_id: str | None
    role: Literal["user", "assistant"]
    text: str
    knowledge: Knowledge | None
    sources: list[AnswerSourceSchema]
    rating: RatingSchema | None
    created_at: DateTimeString

    @classmethod
    def from_message(cls, message: Message, citations: Sequence[Citation]) -> Self:
        """Return the schema of a message with its turn. `citations`: those of the turn."""
        rating = getattr(message, "rating", None)
        is_answer = message.role == Role.ASSISTANT
        return cls.from_row(
            message,
            knowledge=(message.turn.knowledge or None) if is_answer else None,
            sources=answer_sources(citations, message.text) if is_answer else [],
            rating=RatingSchema.from_rating(rating) if rating else None,
            created_at=message.created_at.isoformat(),
        )


class MessageListSchema(ResponseSchema):
    messages: list[MessageSchema]
    next_cursor: str | None
