"""What flows between the chat engine and the tables of a turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.chatbots.models import Chatbot
from apps.conversations.models import (
    API,
    SOURCE_LENGTH,
    Turn,
    TurnStatus,
)


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What it takes to open a turn. `credits` is the most that it can cost. Without a conversation
    it begins one."""

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
    """How a turn ends. Only a completed or stopped one is charged, from its usage."""

    status: TurnStatus
    text: str = ""
    delta_lengths: Sequence[int] = ()
    finish_reason: str = ""
    error_code: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_token_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What settling a turn did to the workspace's credits."""

    charged: int
    balance: int


def source_in(metadata: Mapping[str, Any] | None) -> str:
    """Where a conversation came from, as the metadata of its first message says; or `api`."""
    given = (metadata or {}).get("source")
    source = given.strip()[:SOURCE_LENGTH].rstrip() if isinstance(given, str) else ""
    return source if source and source.isprintable() else API


def running_turn(new: NewTurn, *, conversation_id: str) -> Turn:
    """The turn as it opens, not saved yet."""
    model = new.chatbot.language_model
    return Turn(
        workspace_id=new.workspace_id,
        chatbot_id=new.chatbot.id,
        conversation_id=conversation_id,
        api_key_id=new.api_key_id,
        model_name=model.name,
        credits_per_reply=model.credits_per_reply,
        credits_per_1k_input=model.credits_per_1k_input,
        credits_per_1k_output=model.credits_per_1k_output,
        credits_held=new.credits,
        idempotency_key=new.idempotency_key,
        request_digest=new.request_digest,
        request_id=new.request_id,
        process=new.process,
        queue_ms=new.queue_ms,
    )


def price_of(turn: Turn, settlement: Settlement) -> int:
    """Credits for a whole answer, or for what was delivered of a stopped one; failure is free."""
    if settlement.status not in (TurnStatus.COMPLETED, TurnStatus.STOPPED) or not settlement.text:
        return 0
    price = turn.price.of(
        input_tokens=settlement.input_tokens or 0, output_tokens=settlement.output_tokens or 0
    )
    return min(price, turn.credits_held)
