"""Turns for tests, opened and ended by the product's own services."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from apps.chatbots.models import Chatbot
from apps.conversations.models import Conversation, Turn, TurnStatus
from apps.turns.orm import open_turn, settle_turn
from apps.turns.types import NewTurn, Receipt, Settlement


def new_turn(chatbot: Chatbot, **fields: Any) -> NewTurn:
    """A request for a turn; without a conversation it begins one."""
    given: dict[str, Any] = {
        "workspace_id": chatbot.workspace_id,
        "chatbot": chatbot,
        "conversation_id": None,
        "text": "Hello",
        "credits": 0,
        "request_id": "req_1",
        "request_digest": "digest",
    }
    return NewTurn(**given | fields)


def opened(chatbot: Chatbot, **fields: Any) -> Turn:
    """A new running turn."""
    turn, is_new = open_turn(new_turn(chatbot, **fields))
    assert is_new
    return turn


def completed(turn: Turn, text: str = "Hi", **fields: Any) -> Receipt:
    """The turn, settled with an answer."""
    given: dict[str, Any] = {"status": TurnStatus.COMPLETED, "finish_reason": "stop"}
    return settle_turn(turn=turn, settlement=Settlement(text=text, **given | fields))


def three_exchanges(chatbot: Chatbot) -> Conversation:
    """A conversation of three whole exchanges: ask 0, say 0, ask 1, …"""
    turn = opened(chatbot, text="ask 0")
    completed(turn, "say 0")
    for number in (1, 2):
        later = opened(chatbot, text=f"ask {number}", conversation_id=turn.conversation_id)
        completed(later, f"say {number}")
    return turn.conversation


def failed(turn: Turn, text: str = "", error_code: str = "MODEL_ERROR") -> Receipt:
    """The turn, failed after this text."""
    settlement = Settlement(status=TurnStatus.FAILED, text=text, error_code=error_code)
    return settle_turn(turn=turn, settlement=settlement)


def silence(turn: Turn, seconds: int = 3600) -> None:
    """As if the turn's process had died this long ago."""
    Turn.objects.filter(pk=turn.pk).update(heartbeat_at=Now() - timedelta(seconds=seconds))
