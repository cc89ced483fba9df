"""Replay settled turns from PostgreSQL, with the events that they had while they ran."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from apps.chat import errors
from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted
from apps.conversations.models import Turn
from apps.conversations.queries import get_answer_text
from apps.credits.queries import balance_after_turn


def is_heartbeat_overdue(turn: Turn) -> bool:
    """Whether the last heartbeat is so old that the turn's process must be dead."""
    longest = timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    return timezone.now() - turn.heartbeat_at > longest


def replay_events(turn: Turn) -> list[TurnEvent]:
    """All events of a settled turn, in the order of their numbers."""
    text = get_answer_text(turn)
    return [
        TurnStarted(turn.conversation_id, turn.message_id, turn.id),
        *(AnswerDelta(piece) for piece in _split(text, turn.delta_lengths)),
        TurnFailed(errors.error_from_code(turn.error_code))
        if turn.error_code
        else _ended(turn, text),
    ]


def _split(text: str, lengths: Sequence[int]) -> list[str]:
    pieces, start = [], 0
    for length in lengths:
        pieces.append(text[start : start + length])
        start += length
    return [*pieces, text[start:]] if start < len(text) else pieces


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
