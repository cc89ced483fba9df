"""Webhook events of a turn, written by the statements that open and settle it."""

from collections.abc import Sequence
from typing import Any

from apps.conversations.citations import sources_data
from apps.conversations.models import Turn, TurnStatus
from apps.core.ids import new_id
from apps.turns.sql import Row
from apps.turns.types import Settlement
from apps.webhooks.models import EventType
from apps.webhooks.services import enqueue_deliveries

CHARGEABLE = (TurnStatus.COMPLETED, TurnStatus.STOPPED)


def conversation_started(turn: Turn) -> Row:
    """The event columns of the first turn of a conversation."""
    return _event_columns(EventType.CONVERSATION_STARTED, _ids(turn))


def turn_settled(turn: Turn, settlement: Settlement, *, charged: int) -> Row:
    """The event columns of a settled turn: answered or failed. An empty answer has none."""
    if settlement.status not in CHARGEABLE or settlement.error_code:
        data = {"code": settlement.error_code}
        return _event_columns(EventType.TURN_FAILED, _ids(turn) | data)
    if not settlement.text:
        return {}
    answer: dict[str, Any] = {
        "messageId": turn.message_id,
        "response": settlement.text,
        "finishReason": settlement.finish_reason,
        "usage": {
            "inputTokens": settlement.input_tokens,
            "outputTokens": settlement.output_tokens,
        },
        "credits": {"charged": charged},
    }
    if settlement.knowledge:
        answer["knowledge"] = settlement.knowledge
        answer["sources"] = sources_data(settlement.sources, settlement.text)
    return _event_columns(EventType.MESSAGE_COMPLETED, _ids(turn) | answer)


def enqueue_deliveries_if_any(results: Sequence[Sequence[Any]]) -> None:
    """Wake the delivery workers if one of the statement's rows says that it wrote a delivery.

    Does not wait for the broker.
    """
    if any(has_deliveries for *_, has_deliveries in results):
        enqueue_deliveries()


def _event_columns(event: EventType, data: dict[str, Any]) -> Row:
    return {"event_id": new_id(), "event_type": event, "event_data": data}


def _ids(turn: Turn) -> dict[str, Any]:
    return {
        "chatbotId": turn.chatbot_id,
        "conversationId": turn.conversation_id,
        "turnId": turn.id,
    }
