"""Schemas of turns: their receipts."""

from collections.abc import Sequence
from typing import Literal, Self

from apps.api_kit.schemas import DateTimeString, ResponseSchema
from apps.conversations.models import Citation, Turn
from apps.conversations.schemas.sources import AnswerSourceSchema, Knowledge, answer_sources

Status = Literal["running", "completed", "stopped", "failed", "abandoned"]
FinishReason = Literal["stop", "length", "content_filter", "stopped", "error", "abandoned"]


class TokenUsageSchema(ResponseSchema):
    """Tokens read and written. Null while the turn runs, and if its process died."""

    input_tokens: int | None
    output_tokens: int | None


class TurnCreditsSchema(ResponseSchema):
    held: int
    charged: int
    released: int
    ledger_entry_id: str | None


class TurnTimingsSchema(ResponseSchema):
    """Durations in milliseconds. Null for what has not happened.

    `retrievalMs`: of the search for passages, in a turn that uses knowledge.
    """

    queue_ms: int | None
    retrieval_ms: int | None
    first_token_ms: int | None
    total_ms: int | None


class TurnSchema(ResponseSchema):
    """The receipt of a turn. `code` is the code of the error with which it failed.

    `sources`: the passages that the model was shown; none in a turn without knowledge, whose
    `knowledge` is null.
    """

    turn_id: str
    conversation_id: str
    message_id: str
    request_id: str
    status: Status
    finish_reason: FinishReason | None
    code: str | None
    model: str
    usage: TokenUsageSchema
    credits: TurnCreditsSchema
    timings: TurnTimingsSchema
    knowledge: Knowledge | None
    sources: list[AnswerSourceSchema]
    created_at: DateTimeString
    settled_at: DateTimeString | None

    @classmethod
    def from_turn(
        cls,
        turn: Turn,
        *,
        ledger_entry_id: str | None,
        citations: Sequence[Citation] = (),
        answer: str = "",
    ) -> Self:
        """Return the receipt. `answer`: the text that may cite the turn's `citations`."""
        return cls.from_row(
            turn,
            turn_id=turn.id,
            finish_reason=turn.finish_reason or None,
            code=turn.error_code or None,
            model=turn.model_name,
            usage=TokenUsageSchema.from_row(turn),
            credits=TurnCreditsSchema(
                held=turn.credits_held,
                charged=turn.credits_charged,
                released=turn.credits_released,
                ledger_entry_id=ledger_entry_id,
            ),
            timings=TurnTimingsSchema.from_row(turn),
            knowledge=turn.knowledge or None,
            sources=answer_sources(citations, answer),
            created_at=turn.created_at.isoformat(),
            settled_at=turn.settled_at.isoformat() if turn.settled_at else None,
        )


class TurnResponseSchema(ResponseSchema):
    success: Literal[True] = True
    data: TurnSchema
