"""Turns that this process does not run, told from PostgreSQL."""

from __future__ import annotations

import asyncio

from apps.chat import errors
from apps.chat.events import Delta, Ended, Failed, Started, TurnEvent
from apps.chat.turn_log import TurnLog
from apps.conversations.models import Turn, TurnStatus
from apps.conversations.queries import answer_of
from apps.core.threads import in_thread
from apps.credits.queries import balance_after_turn

_POLL_SECONDS = 0.25


async def recorded_log(turn: Turn) -> TurnLog:
    """A log of the turn's whole course, once it has settled: its text in one piece."""
    while turn.status == TurnStatus.RUNNING:
        await asyncio.sleep(_POLL_SECONDS)
        await in_thread(turn.refresh_from_db)
    return TurnLog(await in_thread(_events, turn))


def _events(turn: Turn) -> list[TurnEvent]:
    text = answer_of(turn)
    events: list[TurnEvent] = [Started(turn.conversation_id, turn.message_id, turn.id)]
    if text:
        events.append(Delta(text))
    if turn.error_code:
        events.append(Failed(errors.of_code(turn.error_code)))
    else:
        events.append(_ended(turn, text))
    return events


def _ended(turn: Turn, text: str) -> Ended:
    return Ended(
        response=text,
        conversation_id=turn.conversation_id,
        message_id=turn.message_id,
        turn_id=turn.id,
        finish_reason=turn.finish_reason,
        input_tokens=turn.input_tokens or 0,
        output_tokens=turn.output_tokens or 0,
        charged=turn.credits_charged,
        balance=balance_after_turn(turn.workspace_id, turn.id),
    )
