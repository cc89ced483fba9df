"""What must be true of a turn, whatever happens in the state model."""

from __future__ import annotations

from apps.chat.engine.events import (
    AnswerDelta,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.conversations.models import Turn, TurnStatus
from apps.conversations.queries import get_answer_text
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from tests.turns.turn_stories import Reader, Story


def check_events(story: Story, reader: Reader) -> None:
    """One number, one event: those that the model said, in order and without a gap."""
    for number, event in enumerate(reader.events, reader.after + 1):
        if number == 1:
            assert isinstance(event, TurnStarted)
        elif isinstance(event, AnswerDelta):
            assert event.text == story.model.said[number - 2]
        else:
            assert number == len(story.model.said) + 2
            assert event is reader.events[-1]


def check_end(story: Story, last: TurnEvent | None, row: Turn) -> None:
    """What a reader was told last is what is stored and charged."""
    match last:
        case TurnEnded() as ended:
            assert row.status in (TurnStatus.COMPLETED, TurnStatus.STOPPED)
            assert ended.response == "".join(story.model.said) == get_answer_text(row)
            assert ended.charged == row.credits_charged == _charged_for(row)
        case TurnFailed() as failed:
            assert (row.status, row.error_code) == (TurnStatus.FAILED, failed.error.code)
            assert _charged_for(row) == 0
        case TurnInterrupted() as interrupted if interrupted.error.code == "TURN_ABANDONED":
            assert story.process.is_dead or story.process.was_cut_off
            assert row.status == TurnStatus.ABANDONED


def check_account(workspace_id: str) -> None:
    """Running turns hold all that is held, and the ledger adds up to the balance."""
    account = balance_for(workspace_id)
    running = Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING)
    assert account.held == sum(running.values_list("credits_held", flat=True))
    assert account.balance == ledger_sum(workspace_id)


def _charged_for(turn: Turn) -> int:
    """What the ledger says."""
    charges = LedgerEntry.objects.filter(turn_id=turn.id, kind="charge")
    return -sum(charges.values_list("amount", flat=True))
