"""The shapes of the conversations' operations."""

from __future__ import annotations

from typing import Literal

from apps.core.schemas import CamelSchema, Moment


class MessageShape(CamelSchema):
    id: str
    turn_id: str | None
    role: Literal["user", "assistant"]
    text: str
    created_at: Moment


class MessageList(CamelSchema):
    messages: list[MessageShape]
    next_cursor: str | None


class MessageListAnswer(CamelSchema):
    success: Literal[True] = True
    data: MessageList


class Usage(CamelSchema):
    input_tokens: int
    output_tokens: int


class TurnCredits(CamelSchema):
    held: int
    charged: int
    released: int
    ledger_entry_id: str | None


class Timings(CamelSchema):
    """Milliseconds from the turn's opening; null for what has not come."""

    queue_ms: int | None
    first_token_ms: int | None
    total_ms: int | None


class TurnShape(CamelSchema):
    """A turn's receipt. `code` is that of the error under which it failed."""

    turn_id: str
    conversation_id: str
    message_id: str
    request_id: str
    status: Literal["running", "completed", "stopped", "failed", "abandoned"]
    finish_reason: Literal["stop", "length", "content_filter", "stopped"] | None
    code: str | None
    model: str
    usage: Usage
    credits: TurnCredits
    timings: Timings
    created_at: Moment
    settled_at: Moment | None


class TurnAnswer(CamelSchema):
    success: Literal[True] = True
    data: TurnShape
