"""Turns opened and settled together: one statement writes all that wait at the same moment.

    open_together    as `services.open_turn`
    settle_together  as `services.settle_turn`

The statements are in `statements`. What they cannot decide (a key or a conversation that is
taken, or gone) is left to the services, which ask one question after another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg.errors import ForeignKeyViolation

from apps.api_keys.errors import InvalidApiKey
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ConversationNotFound, TurnNotRunning
from apps.conversations.models import Turn
from apps.core.errors import ApiError
from apps.core.ids import new_id
from apps.credits.errors import InsufficientCredits
from apps.credits.services import open_account
from apps.infrastructure.concurrency.batching import Batches
from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.pool import execute
from apps.infrastructure.postgres.threads import in_thread
from apps.turns import sql as statements
from apps.turns.events import Announcement, conversation_started, turn_settled
from apps.turns.orm import open_turn
from apps.turns.types import NewTurn, Receipt, Settlement, price_of, running_turn, source_in
from apps.webhooks.services import wake_senders

_TURN_COLUMNS = (
    "id",
    "workspace_id",
    "chatbot_id",
    "conversation_id",
    "api_key_id",
    "message_id",
    "model_name",
    "credits_per_reply",
    "credits_per_1k_input",
    "credits_per_1k_output",
    "credits_held",
    "idempotency_key",
    "request_digest",
    "request_id",
    "process",
    "queue_ms",
)

_GONE: dict[str, type[ApiError]] = {
    "conversations_turn_chatbot_same_workspace": ChatbotNotFound,
    "conversations_turn_conversation_same_workspace": ConversationNotFound,
    "conversations_turn_api_key_same_workspace": InvalidApiKey,
}
"""What was there when the request was admitted and is deleted by now, by the key that misses it."""

_LANES = 2
"""Statements of a kind at once, the second only while the first is held up: by an account that
somebody else has locked, it would have all others wait."""

_Row = dict[str, Any]
_Ended = Receipt | Literal["not running"]


async def open_together(new: NewTurn) -> tuple[Turn, bool]:
    """Open a turn, or find the one that this idempotency key opened before.

    Returns the turn and whether it is new. Raises InsufficientCredits, ConversationBusy,
    IdempotencyMismatch, or the error of what was deleted since the request was admitted.
    """
    conversation_id = new.conversation_id or new_id()
    turn = running_turn(new, conversation_id=conversation_id)
    row = {name: getattr(turn, name) for name in _TURN_COLUMNS} | {
        "begins": new.conversation_id is None,
        "source": source_in(new.metadata),
        "user_message_id": new_id(),
        "text": new.text,
        "metadata": new.metadata,
    }
    if new.conversation_id is None:
        row |= _event(conversation_started(turn))
    outcome = await _open(row)
    if outcome == statements.NO_ACCOUNT:
        await in_thread(open_account, workspace_id=new.workspace_id)
        outcome = await _open(row)
    match outcome:
        case statements.OPENED:
            return turn, True
        case statements.SHORT if new.idempotency_key is None:
            short = InsufficientCredits()
            short.needed = new.credits
            raise short
        case _:
            return await in_thread(open_turn, new)


async def _open(row: _Row) -> str:
    try:
        return await _of_loops.get().open.ask(row)
    except ForeignKeyViolation as error:
        gone = _GONE.get(error.diag.constraint_name or "")
        if gone is None:
            raise
        raise gone from error


async def settle_together(*, turn: Turn, settlement: Settlement) -> Receipt:
    """End a running turn: its answer saved, its hold charged or released.

    Raises TurnNotRunning if it has ended already.
    """
    first_token_at = settlement.first_token_at
    price = price_of(turn, settlement)
    ended = await _of_loops.get().settle.ask(
        {
            "workspace_id": turn.workspace_id,
            "conversation_id": turn.conversation_id,
            "id": turn.id,
            "message_id": turn.message_id,
            "entry_id": new_id(),
            "status": settlement.status,
            "price": price,
            "text": settlement.text,
            "delta_lengths": list(settlement.delta_lengths),
            "finish_reason": settlement.finish_reason,
            "error_code": settlement.error_code,
            "input_tokens": settlement.input_tokens,
            "output_tokens": settlement.output_tokens,
            "first_token_at": first_token_at.isoformat() if first_token_at else None,
            **_event(turn_settled(turn, settlement, charged=price)),
        }
    )
    if isinstance(ended, str):
        raise TurnNotRunning
    return ended


async def _open_all(rows: Sequence[_Row]) -> list[str | None]:
    answers = await execute(statements.OPEN, _numbered(rows))
    _wake_senders(answers)
    return [None if outcome == statements.AGAIN else outcome for _, outcome, _ in sorted(answers)]


async def _settle_all(rows: Sequence[_Row]) -> list[_Ended | None]:
    receipts = await execute(statements.SETTLE, _numbered(rows))
    _wake_senders(receipts)
    ended = {number: Receipt(charged, balance) for number, charged, balance, _ in receipts}
    return [ended.get(number, "not running") for number in range(len(rows))]


def _event(announcement: Announcement | None) -> _Row:
    """The columns by which a row tells of itself."""
    if announcement is None:
        return {}
    return {
        "event_id": new_id(),
        "event_type": announcement.event,
        "event_data": announcement.data,
    }


def _wake_senders(answers: Sequence[Sequence[Any]]) -> None:
    """Where there is something to deliver, ask the workers to look. Nobody waits for that."""
    if any(is_delivered for *_, is_delivered in answers):
        waking = asyncio.get_running_loop().create_task(in_thread(wake_senders))
        _waking.add(waking)
        waking.add_done_callback(_waking.discard)


_waking: set[asyncio.Task[None]] = set()


def _numbered(rows: Sequence[_Row]) -> str:
    return json.dumps([{"n": number, **row} for number, row in enumerate(rows)])


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Opening does not wait for settling, nor the other way round."""

    open: Batches[_Row, str]
    settle: Batches[_Row, _Ended]


_of_loops = PerLoop(
    lambda: _Lanes(Batches(_open_all, lanes=_LANES), Batches(_settle_all, lanes=_LANES))
)
