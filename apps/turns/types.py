"""The values that flow between the chat engine and the tables of a turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.chatbots.models import Chatbot
from apps.conversations.citations import AnswerSource
from apps.conversations.models import Turn, TurnStatus


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn to open. It begins a conversation if it names none.

    `credits`: the most that it can cost, which is held. `queue_ms`: milliseconds between the
    request's arrival and the opening statement. `process`: the name of the web process that runs
    it.
    """

    workspace_id: str
    chatbot: Chatbot
    conversation_id: str | None
    text: str
    credits: int
    request_id: str
    request_digest: str
    idempotency_key: str | None = None
    metadata: Mapping[str, Any] | None = None
    api_key_id: str | None = None
    process: str = ""
    queue_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a turn ends. `delta_lengths`: the lengths of the pieces in which the text was sent.

    `knowledge`: what followers were told of the search for passages, a value of `Knowledge` or "",
    and `sources` the passages.
    `is_free`: the text is a fixed reply, for which no model was asked.
    """

    status: TurnStatus
    text: str = ""
    delta_lengths: Sequence[int] = ()
    finish_reason: str = ""
    error_code: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_token_at: datetime | None = None
    knowledge: str = ""
    sources: Sequence[AnswerSource] = ()
    is_free: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """Credits charged for a turn, and the workspace's balance afterwards."""

    charged: int
    balance: int


def price_of(turn: Turn, settlement: Settlement) -> int:
    """Credits that the turn costs, never more than its hold.

    Tokens are charged as they were used, the fee for a reply only if there is text. What the
    provider failed is free, and so is what our own process lost before any of it was saved.
    """
    text, status = settlement.text, settlement.status
    if settlement.is_free:
        return 0
    if status == TurnStatus.FAILED or (status == TurnStatus.ABANDONED and not text):
        return 0
    price = turn.price.credits_for(
        input_tokens=settlement.input_tokens or 0,
        output_tokens=settlement.output_tokens or 0,
        has_reply=bool(text),
    )
    return min(price, turn.credits_held)
