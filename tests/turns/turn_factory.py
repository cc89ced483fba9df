"""Create turns for tests with the product's SQL statements, on the test's own connection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.chatbots.models import Chatbot
from apps.conversations.errors import TurnNotRunning
from apps.conversations.models import Conversation, Turn, TurnStatus, TurnSweep
from apps.turns import citations, sql
from apps.turns.citations import Retrieved
from apps.turns.open import build_row, build_turn, resolve_refusal
from apps.turns.settle import settle_turn_blocking
from apps.turns.sql import encode_rows, lock_accounts
from apps.turns.types import NewTurn, Receipt, Settlement


def new_turn(chatbot: Chatbot, **fields: Any) -> NewTurn:
    """A request for a turn; it starts a conversation unless one is given."""
    defaults: dict[str, Any] = {
        "workspace_id": chatbot.workspace_id,
        "chatbot": chatbot,
        "conversation_id": None,
        "text": "Hello",
        "credits": 0,
        "request_id": "req_1",
        "request_digest": "digest",
    }
    return NewTurn(**defaults | fields)


def open_turn_blocking(new: NewTurn) -> tuple[Turn, bool]:
    """Open a turn as `apps.turns.open.open_turn` does, on Django's connection."""
    return write_turn_blocking(build_turn(new), new)


def write_turn_blocking(turn: Turn, new: NewTurn) -> tuple[Turn, bool]:
    """The same for a turn that `build_turn` made."""
    while True:
        row = build_row(turn, new)
        lock, workspace_ids = lock_accounts([row])
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(lock, [workspace_ids])
            cursor.execute(sql.OPEN, [encode_rows([row])])
            ((_, outcome, _),) = cursor.fetchall()
        if outcome == sql.OPENED:
            return turn, True
        if (earlier := resolve_refusal(outcome, new)) is not None:
            return earlier, False


def save_passages_blocking(turn: Turn, retrieved: Retrieved) -> None:
    """Save what a search found as `apps.turns.citations.save_passages` does, on Django's
    connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            citations.SAVE_PASSAGES, [encode_rows([citations.build_row(turn, retrieved)])]
        )
        if not cursor.fetchall():
            raise TurnNotRunning


def make_running_turn(chatbot: Chatbot, **fields: Any) -> Turn:
    """Open a new turn."""
    turn, is_new = open_turn_blocking(new_turn(chatbot, **fields))
    assert is_new
    return turn


def complete_turn(turn: Turn, text: str = "Hi", **fields: Any) -> Receipt:
    """Settle the turn with this answer."""
    defaults: dict[str, Any] = {"status": TurnStatus.COMPLETED, "finish_reason": "stop"}
    return settle_turn_blocking(turn=turn, settlement=Settlement(text=text, **defaults | fields))


def make_three_exchanges(chatbot: Chatbot) -> Conversation:
    """Create a conversation with the messages `ask 0`, `say 0`, `ask 1`, …, `say 2`."""
    turn = make_running_turn(chatbot, text="ask 0")
    complete_turn(turn, "say 0")
    for number in (1, 2):
        later = make_running_turn(
            chatbot, text=f"ask {number}", conversation_id=turn.conversation_id
        )
        complete_turn(later, f"say {number}")
    return turn.conversation


def fail_turn(turn: Turn, text: str = "", error_code: str = "MODEL_ERROR") -> Receipt:
    """Settle the turn as failed after this text."""
    settlement = Settlement(status=TurnStatus.FAILED, text=text, error_code=error_code)
    return settle_turn_blocking(turn=turn, settlement=settlement)


def expire_heartbeat(turn: Turn, seconds: int = 3600) -> None:
    """Date the turn's last heartbeat back, as if its process had died then and the sweep had run
    ever since."""
    long_ago = Now() - timedelta(days=1)
    times = {"uninterrupted_since": long_ago, "passed_at": Now()}
    TurnSweep.objects.update_or_create(id=1, defaults=times)
    Turn.objects.filter(pk=turn.pk).update(heartbeat_at=Now() - timedelta(seconds=seconds))
