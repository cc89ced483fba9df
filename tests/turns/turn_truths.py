"""What must be true of a turn, whatever happens in the state model."""

from __future__ import annotations

from apps.chat.engine.events import (
    AnswerDelta,
    NumberedEvent,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.conversations.citations import AnswerSource
from apps.conversations.models import Citation, Knowledge, Turn, TurnStatus
from apps.conversations.queries import get_answer_text
from apps.credits.models import LedgerEntry
from apps.credits.queries import balance_for, ledger_sum
from tests.turns.passages import PASSAGES
from tests.turns.turn_stories import Reader, Story

PRICE = 2
"""Credits for an answer."""


def check_events(story: Story, reader: Reader) -> None:
    """One number, one event: the sources that all are told, and what the model said, in order and
    without a gap."""
    turn, sources = story.turn, story.sources
    expected: list[NumberedEvent] = [
        TurnStarted(turn.conversation_id, turn.message_id, turn.id),
        *([sources] if sources else []),
        *map(AnswerDelta, story.said),
    ]
    told = list(reader.events)
    if told and isinstance(told[-1], TurnEnded | TurnFailed):
        told.pop()
        assert reader.number == len(expected) + 1
    assert told == expected[reader.after : reader.after + len(told)]


def check_sources(story: Story) -> None:
    """The sources that were told are those that were found, and are stored."""
    sources, search = story.sources, story.search
    if sources is None or sources is story.checked:
        return
    assert search is not None
    if search.finding != Knowledge.FOUND or sources.knowledge != Knowledge.UNAVAILABLE:
        assert sources.knowledge == search.finding
    told: list[AnswerSource] = []
    if sources.knowledge == Knowledge.FOUND:
        stored = list(Citation.objects.filter(turn_id=story.turn.id).order_by("number"))
        assert [each.text for each in stored] == [passage.text for passage in PASSAGES]
        told = [AnswerSource.from_citation(each) for each in stored]
    assert list(sources.sources) == told
    story.checked = sources


def check_end(story: Story, last: TurnEvent | None, row: Turn) -> None:
    """What a reader was told last is what is stored and charged."""
    match last:
        case TurnEnded() as ended:
            assert row.status in (TurnStatus.COMPLETED, TurnStatus.STOPPED)
            assert ended.response == "".join(story.said) == get_answer_text(row)
            assert ended.charged == row.credits_charged == _charged_for(row)
            assert ended.charged == _price(story, ended.response)
            sources = story.sources or SourcesFound("", ())
            assert sources == SourcesFound(ended.knowledge, ended.sources)
            assert row.knowledge == ended.knowledge
        case TurnFailed() as failed:
            assert (row.status, row.error_code) == (TurnStatus.FAILED, failed.error.code)
            assert _charged_for(row) == 0
            if failed.error.code == "KNOWLEDGE_UNAVAILABLE":
                assert story.search
                assert story.search.is_required
                assert row.knowledge == Knowledge.UNAVAILABLE
        case TurnInterrupted() as interrupted if interrupted.error.code == "TURN_ABANDONED":
            assert story.process.is_dead or story.process.was_cut_off
            assert row.status == TurnStatus.ABANDONED
            assert _charged_for(row) == _price(story, get_answer_text(row))


def check_row(story: Story, row: Turn) -> None:
    """What is stored of a search is what was told. A process that died may have told more."""
    told = story.sources.knowledge if story.sources else ""
    if row.status == TurnStatus.ABANDONED:
        assert row.knowledge in ("", told)
    else:
        assert row.knowledge == told


def check_account(workspace_id: str) -> None:
    """Running turns hold all that is held, and the ledger adds up to the balance."""
    account = balance_for(workspace_id)
    running = Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING)
    assert account.held == sum(running.values_list("credits_held", flat=True))
    assert account.balance == ledger_sum(workspace_id)


def _price(story: Story, answer: str) -> int:
    return PRICE if answer and not story.has_fixed_reply else 0


def _charged_for(turn: Turn) -> int:
    """What the ledger says."""
    charges = LedgerEntry.objects.filter(turn_id=turn.id, kind="charge")
    return -sum(charges.values_list("amount", flat=True))
