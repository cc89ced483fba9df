"""What webhooks tell of turns: the data of each event.

Each function is called in the transaction of what happened, before the account is locked, and
costs one statement that writes nothing where nobody wants the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.conversations.models import Turn, TurnStatus
from apps.webhooks.models import EventType
from apps.webhooks.services import emit

if TYPE_CHECKING:
    from apps.conversations.services import Settlement

ANSWERED = (TurnStatus.COMPLETED, TurnStatus.STOPPED)


def conversation_started(turn: Turn) -> None:
    """The turn is the first of a new conversation."""
    emit(workspace_id=turn.workspace_id, event=EventType.CONVERSATION_STARTED, data=_place_of(turn))


def turn_settled(turn: Turn, settlement: Settlement, *, charged: int) -> None:
    """An answer was left, whole or stopped; or the turn failed. An empty answer tells nothing."""
    if settlement.status not in ANSWERED:
        event, data = EventType.TURN_FAILED, {"code": settlement.error_code}
    elif settlement.text:
        event, data = EventType.MESSAGE_COMPLETED, _answer(turn, settlement, charged)
    else:
        return
    emit(workspace_id=turn.workspace_id, event=event, data=_place_of(turn) | data)


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
