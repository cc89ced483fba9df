"""Replay settled turns from PostgreSQL, with the events that they had while they ran."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from apps.chat import errors
from apps.chat.engine.events import (
    AnswerDelta,
    NumberedEvent,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.conversations.models import Turn, TurnStatus
from apps.conversations.queries import get_answer_text
from apps.credits.queries import balance_after_turn


@dataclass(frozen=True, slots=True)
class Record:
    """What PostgreSQL knows of a turn.

    `events`: those of a settled turn, in the order of their numbers; none while it runs.
    `interruption`: what followers are told after them if the turn was abandoned, or will be because
    its process must be dead. That process may have told more than it saved: the next number may
    belong to a piece of text that is lost, so this end has none.
    """

    events: Sequence[NumberedEvent] = ()
    interruption: TurnInterrupted | None = None


def read_record(turn: Turn) -> Record:
    """The turn's record as it is now. Raises Turn.DoesNotExist."""
    row = Turn.objects.get(workspace_id=turn.workspace_id, id=turn.id)
    if row.status != TurnStatus.RUNNING:
        return replay(row)
    if _is_heartbeat_overdue(row):
        return _abandoned(row, row.text_so_far)
    return Record()


def replay(turn: Turn) -> Record:
    """The record of a settled turn."""
    text = get_answer_text(turn)
    if turn.status == TurnStatus.ABANDONED:
        return _abandoned(turn, text)
    failed = TurnFailed(errors.error_from_code(turn.error_code)) if turn.error_code else None
    return Record([*_told_events(turn, text), failed or _ended(turn, text)])


def _abandoned(turn: Turn, saved_text: str) -> Record:
    return Record(_told_events(turn, saved_text), TurnInterrupted(errors.TurnAbandoned()))


def _told_events(turn: Turn, text: str) -> list[NumberedEvent]:
    return [
        TurnStarted(turn.conversation_id, turn.message_id, turn.id),
        *(AnswerDelta(piece) for piece in _split(text, turn.delta_lengths)),
    ]


def _is_heartbeat_overdue(turn: Turn) -> bool:
    """Whether the last heartbeat is so old, by PostgreSQL's clock, that the process is dead."""
    longest = timedelta(seconds=settings.TURN_ABANDONED_AFTER_SECONDS)
    return Turn.objects.filter(id=turn.id, heartbeat_at__lt=Now() - longest).exists()


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
