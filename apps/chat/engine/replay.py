"""Turns told from PostgreSQL, once they have settled: the same frames as while they ran."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.chat import errors
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted
from apps.conversations.models import Turn
from apps.conversations.queries import get_answer_text
from apps.credits.queries import balance_after_turn


def is_heartbeat_overdue(turn: Turn) -> bool:
    """Whether the turn's process has said nothing for so long that it must be dead."""
    longest = timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    return timezone.now() - turn.heartbeat_at > longest


def replay_events(turn: Turn) -> list[TurnEvent]:
    """All events of a settled turn, numbered as they were when it ran."""
    text = get_answer_text(turn)
    deltas = [AnswerDelta(piece) for piece in _pieces(text, turn.delta_lengths)]
    return [
        TurnStarted(turn.conversation_id, turn.message_id, turn.id),
        *deltas,
        TurnFailed(errors.error_from_code(turn.error_code))
        if turn.error_code
        else _ended(turn, text),
    ]


def _pieces(text: str, lengths: list[int]) -> list[str]:
    pieces, start = [], 0
    for length in lengths:
        pieces.append(text[start : start + length])
        start += length
    if start < len(text):
        pieces.append(text[start:])
    return pieces


def _ended(turn: Turn, text: str) -> TurnEnded:
    return TurnEnded(
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
