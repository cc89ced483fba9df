"""Replay settled turns from PostgreSQL, with the events that they had while they ran."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.chat import errors
from apps.chat.engine.events import (
    AnswerDelta,
    NumberedEvent,
    SourcesFound,
    TurnEnded,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.conversations.citations import AnswerSource, citations_of
from apps.conversations.models import Knowledge, Turn, TurnStatus
from apps.conversations.queries import get_answer_text
from apps.credits.queries import balance_after_turn
from apps.turns.sweep import abandon_if_silent


@dataclass(frozen=True, slots=True)
class Record:
    """What PostgreSQL knows of a turn.

    `events`: those of a settled turn, in the order of their numbers; none while it runs.
    `interruption`: what followers are told after them if the turn was abandoned. Its process may
    have told more than it saved: the next number may belong to a piece of text that is lost, so
    this end has none.
    """

    events: Sequence[NumberedEvent] = ()
    interruption: TurnInterrupted | None = None


def abandon_if_silent_and_read(turn: Turn) -> Record:
    """Abandon the turn if its process is dead, by the rule of the sweep; return its record.

    Raises Turn.DoesNotExist.
    """
    rows = Turn.objects.filter(workspace_id=turn.workspace_id, id=turn.id)
    row = rows.get()
    if row.status == TurnStatus.RUNNING and abandon_if_silent(row):
        row = rows.get()
    return Record() if row.status == TurnStatus.RUNNING else replay(row)


def replay(turn: Turn) -> Record:
    """The record of a settled turn."""
    text, sources = get_answer_text(turn), _sources(turn)
    told = _told_events(turn, text, sources)
    if turn.status == TurnStatus.ABANDONED:
        return Record(told, TurnInterrupted(errors.TurnAbandoned()))
    failed = TurnFailed(errors.error_from_code(turn.error_code)) if turn.error_code else None
    return Record([*told, failed or _ended(turn, text, sources)])


def _sources(turn: Turn) -> tuple[AnswerSource, ...]:
    """The passages that followers were told of. Makes no query for a turn without knowledge."""
    if turn.knowledge != Knowledge.FOUND:
        return ()
    return tuple(map(AnswerSource.from_citation, citations_of([turn])[turn.id]))


def _told_events(turn: Turn, text: str, sources: tuple[AnswerSource, ...]) -> list[NumberedEvent]:
    return [
        TurnStarted(turn.conversation_id, turn.message_id, turn.id),
        *([SourcesFound(turn.knowledge, sources)] if turn.knowledge else ()),
        *(AnswerDelta(piece) for piece in _split(text, turn.delta_lengths)),
    ]


def _split(text: str, lengths: Sequence[int]) -> list[str]:
    pieces, start = [], 0
    for length in lengths:
        pieces.append(text[start : start + length])
        start += length
    return [*pieces, text[start:]] if start < len(text) else pieces


def _ended(turn: Turn, text: str, sources: tuple[AnswerSource, ...]) -> TurnEnded:
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
        knowledge=turn.knowledge,
        sources=sources,
    )
