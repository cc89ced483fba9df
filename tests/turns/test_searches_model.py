"""What followers are told of a search is what is stored, whatever fails meanwhile."""

from __future__ import annotations

import pytest

from apps.chat.engine.events import AnswerDelta, SourcesFound, TurnEnded, TurnFailed, TurnStarted
from apps.conversations.models import Citation, Knowledge, Turn
from tests.turns.turn_model import AWAY, TurnModel


def told(model: TurnModel) -> SourcesFound:
    """What the first reader of the newest turn was told of its search."""
    event = model.story(0).readers[0].events[1]
    assert isinstance(event, SourcesFound)
    return event


def row(model: TurnModel) -> Turn:
    """The newest turn, as it is stored."""
    return Turn.objects.get(id=model.story(0).turn.id)


def test_sources_are_the_second_event_of_a_turn_and_its_replay(model: TurnModel) -> None:
    model.open_with_search(seconds=1.0)
    model.follow(0, 1, 0)
    model.wait(1.0)
    model.delta(0, 2)
    model.end(0, False)
    model.follow(0, 0, 0)
    here, elsewhere, later = (reader.events for reader in model.story(0).readers)
    assert list(map(type, here)) == [TurnStarted, SourcesFound, AnswerDelta, AnswerDelta, TurnEnded]
    assert here == elsewhere == later
    assert (told(model).knowledge, row(model).knowledge) == ("found", "found")


def test_stop_during_a_search_costs_nothing(model: TurnModel) -> None:
    model.open_with_search(seconds=2.9)
    model.stop(0)
    _, ended = model.story(0).readers[0].events
    assert isinstance(ended, TurnEnded)
    assert (ended.finish_reason, ended.charged, ended.knowledge) == ("stopped", 0, "")
    assert (row(model).knowledge, model.story(0).model) == ("", None)


def test_stop_while_passages_are_saved_costs_nothing(model: TurnModel) -> None:
    """The statement goes on: the citations of a turn that told none are of no account."""
    model.open_with_search(save_fault="lock")
    model.stop(0)
    model.wait(6.0)
    ended = model.story(0).readers[0].events[-1]
    assert isinstance(ended, TurnEnded)
    assert (ended.charged, row(model).knowledge) == (0, "")


def test_lost_answer_of_saving_is_asked_for_again(model: TurnModel) -> None:
    model.open_with_search(save_fault="cut")
    model.wait(0.3)
    assert told(model).knowledge == "found"


@pytest.mark.parametrize("finding", [Knowledge.NOTHING_FOUND, Knowledge.UNAVAILABLE])
def test_search_without_passages_waits_for_no_outage(model: TurnModel, finding: Knowledge) -> None:
    model.open_with_search(finding=finding, seconds=1.0)
    model.outage("database")
    model.wait(1.0)
    assert told(model).knowledge == finding
    assert model.story(0).model


@pytest.mark.parametrize("kill_after", [0.3, 6.0, None])
@pytest.mark.parametrize("save_fault", ["outage", "lock"])
def test_sources_stored_but_not_told_stay_untold(
    model: TurnModel, save_fault: str, kill_after: float | None
) -> None:
    """The passages are stored, but too late is it known: the model answers without, and no replay
    says otherwise, even if the process dies before it saved anything."""
    model.open_with_search(save_fault=save_fault)
    model.wait(3.2)
    model.come_back()
    model.delta(0, 1)
    assert told(model) == SourcesFound(Knowledge.UNAVAILABLE, ())
    if kill_after is None:
        model.wait(4.0)
        model.end(0, False)
    else:
        model.wait(kill_after)
        model.kill(0)
    model.wait(30.0)
    assert Citation.objects.filter(turn_id=model.story(0).turn.id).exists()
    assert row(model).knowledge in ("", "unavailable")
    model.follow(0, 1, 0)
    assert not any(
        isinstance(event, SourcesFound) and event.sources
        for event in model.story(0).readers[-1].events
    )


def test_fixed_reply_is_free(model: TurnModel) -> None:
    model.open_with_search(finding=Knowledge.NOTHING_FOUND, is_required=True)
    ended = model.story(0).readers[0].events[-1]
    assert isinstance(ended, TurnEnded)
    assert (ended.response, ended.charged) == (model.chatbot.knowledge_not_found_reply, 0)


def test_fixed_reply_is_free_even_if_its_process_dies(model: TurnModel) -> None:
    """It was told, and a heartbeat came, but the settlement waits for a lock."""
    model.open_with_search(
        finding=Knowledge.NOTHING_FOUND, seconds=2.9, is_required=True, save_fault="lock next"
    )
    model.wait(6.0)
    assert isinstance(model.story(0).readers[0].events[-1], AnswerDelta)
    assert row(model).knowledge == "nothing_found"
    model.outage("database")
    model.kill(0)
    model.wait(2.0)
    model.come_back()
    model.wait(30.0)
    assert (row(model).status, row(model).credits_charged) == ("abandoned", 0)


def test_required_search_that_fails_ends_the_turn_for_free(model: TurnModel) -> None:
    model.open_with_search(finding=Knowledge.UNAVAILABLE, seconds=1.0, is_required=True)
    model.wait(1.0)
    _, sources, failed = model.story(0).readers[0].events
    assert isinstance(failed, TurnFailed)
    assert failed.error.code == "KNOWLEDGE_UNAVAILABLE"
    assert sources == SourcesFound(Knowledge.UNAVAILABLE, ())
    assert model.story(0).model is None


def test_turn_that_was_swept_while_it_searched_asks_no_model(model: TurnModel) -> None:
    """Its process alone had lost PostgreSQL, and is back when the search ends."""
    model.open_with_search(seconds=AWAY)
    model.partition(0)
    model.wait(AWAY)
    model.come_back()
    model.wait(6.0)
    (reader,) = model.story(0).readers
    assert reader.interruption
    assert reader.interruption.error.code == "TURN_ABANDONED"
    assert list(map(type, reader.events)) == [TurnStarted]
    assert model.story(0).model is None
