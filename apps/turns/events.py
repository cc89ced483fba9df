"""What webhooks tell of turns: which event, and its data.

Told in the transaction of what happened, in the ORM's words by `tell`; `group_commit` writes the
same into the outbox by its own statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from apps.conversations.models import Turn, TurnStatus
from apps.webhooks.models import EventType
from apps.webhooks.services import emit

if TYPE_CHECKING:
    from apps.turns.types import Settlement

ANSWERED = (TurnStatus.COMPLETED, TurnStatus.STOPPED)


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event, and its data as receivers read it."""

    event: EventType
    data: dict[str, Any]


def conversation_started(turn: Turn) -> Announcement:
    """The turn is the first of a new conversation."""
    return Announcement(EventType.CONVERSATION_STARTED, _place_of(turn))


def turn_settled(turn: Turn, settlement: Settlement, *, charged: int) -> Announcement | None:
    """An answer was left, whole or stopped; or the turn failed. An empty answer tells nothing."""
    if settlement.status not in ANSWERED:
        event, data = EventType.TURN_FAILED, {"code": settlement.error_code}
    elif settlement.text:
        event, data = EventType.MESSAGE_COMPLETED, _answer(turn, settlement, charged)
    else:
        return None
    return Announcement(event, _place_of(turn) | data)


def tell(turn: Turn, announcement: Announcement | None) -> None:
    """Tell the turn's workspace. Costs a statement, which writes nothing where nobody listens."""
    if announcement is not None:
        emit(workspace_id=turn.workspace_id, event=announcement.event, data=announcement.data)


def _answer(turn: Turn, settlement: Settlement, charged: int) -> dict[str, Any]:
    return {
        "messageId": turn.message_id,
        "response": settlement.text,
        "finishReason": settlement.finish_reason,
        "usage": {
            "inputTokens": settlement.input_tokens,
            "outputTokens": settlement.output_tokens,
        },
        "credits": {"charged": charged},
    }


def _place_of(turn: Turn) -> dict[str, Any]:
    return {
        "chatbotId": turn.chatbot_id,
        "conversationId": turn.conversation_id,
        "turnId": turn.id,
    }
