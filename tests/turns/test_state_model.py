"""Whatever fails in whatever order, every follower of a turn is told one truth, last.

The suite takes the same steps each time. TURN_MODEL_STEPS=10000 takes so many, others each time.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.chat.engine.events import TurnEnded, TurnInterrupted
from apps.conversations.models import Turn
from tests.turns.turn_model import AWAY, TurnModel, executed
from tests.turns.turn_truths import PRICE

STEPS = int(os.environ.get("TURN_MODEL_STEPS", "200"))
IS_LONG = "TURN_MODEL_STEPS" in os.environ
STEPS_PER_EXAMPLE = 40


@pytest.mark.timeout(120 + STEPS)
def test_random_faults(model_world: None) -> None:
    while executed.total() < STEPS:
        run_state_machine_as_test(
            TurnModel,
            settings=settings(
                max_examples=max(3, min(100, STEPS // STEPS_PER_EXAMPLE)),
                stateful_step_count=STEPS_PER_EXAMPLE,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
                database=None,
                derandomize=not IS_LONG,
            ),
        )
    print(f"{executed.total()} steps: {dict(executed)}")


@pytest.mark.parametrize("unsaved", [0, 3])
def test_resume_after_a_crash_ends(model: TurnModel, unsaved: int) -> None:
    """The record may be shorter than what was told: there is no next number, but an end."""
    model.open(0, None)
    model.delta(0, 2)
    model.wait(6.0)
    model.delta(0, unsaved + 1)
    model.kill(0)
    model.wait(30.0)
    model.follow(0, 1, 30)
    reader = model.story(0).readers[-1]
    assert isinstance(reader.interruption, TurnInterrupted)
    assert (reader.events, reader.is_over) == ([], True)


@pytest.mark.parametrize("seconds", [4.0, 5.6, 20.0])
def test_followers_of_a_killed_process_are_told_its_end(model: TurnModel, seconds: float) -> None:
    """A copy that knows more than the record says neither nothing nor a number twice."""
    model.open(0, None)
    model.follow(0, 1, 0)
    model.delta(0, 3)
    model.wait(seconds)
    model.delta(0, 4)
    follower = model.story(0).readers[-1]
    assert follower.number == 8
    model.kill(0)
    model.wait(60.0)
    assert follower.interruption
    assert follower.interruption.error.code == "TURN_ABANDONED"
    assert follower.number == 8


@pytest.mark.parametrize("is_long", [False, True])
def test_outage_of_redis_loses_no_word(model: TurnModel, is_long: bool) -> None:
    """A follower in another process waits for a while, then is interrupted without a number."""
    model.open(0, None)
    model.follow(0, 1, 0)
    model.delta(0, 2)
    follower = model.story(0).readers[-1]
    model.outage("redis")
    model.delta(0, 2)
    model.wait(AWAY if is_long else 6.0)
    assert bool(follower.interruption) is is_long
    model.come_back()
    model.wait(6.0)
    if is_long:
        model.follow(0, 1, follower.number)
    model.delta(0, 1)
    model.end(0, False)
    model.wait(6.0)
    assert isinstance(model.story(0).readers[-1].events[-1], TurnEnded)


def test_lost_answer_of_the_settlement_is_looked_up(model: TurnModel) -> None:
    model.open(0, None)
    model.delta(0, 2)
    model.cut(False)
    model.end(0, False)
    model.wait(1.0)
    (reader,) = model.story(0).readers
    ended = reader.events[-1]
    assert isinstance(ended, TurnEnded)
    assert ended.charged == PRICE


def test_lost_answer_of_the_opening_is_looked_up(model: TurnModel) -> None:
    model.cut(False)
    model.open(0, "one")
    model.wait(3.0)
    (opening,) = model.openings
    assert opening.turn_id in model.stories


def test_turn_that_nobody_was_told_of_is_undone(model: TurnModel) -> None:
    model.cut(True)
    model.open(0, "one")
    model.wait(5.0)
    (lost,) = model.openings
    assert lost.error
    model.come_back()
    model.wait(3.0)
    model.open(1, "one")
    assert model.openings[-1].turn_id in model.stories
    statuses = Turn.objects.filter(workspace_id=model.chatbot.workspace_id)
    assert sorted(statuses.values_list("status", flat=True)) == ["failed", "running"]


def test_living_turns_survive_a_long_outage(model: TurnModel) -> None:
    model.open(0, None)
    model.delta(0, 2)
    model.outage("database")
    model.wait(AWAY)
    model.come_back()
    model.sweep()
    model.delta(0, 2)
    model.wait(AWAY)
    model.end(0, False)
    (reader,) = model.story(0).readers
    assert isinstance(reader.events[-1], TurnEnded)


def test_turn_that_was_swept_alive_ends(model: TurnModel) -> None:
    """Its process alone had lost PostgreSQL: once it is back, it stops the model and tells the
    record."""
    model.open(0, None)
    model.delta(0, 2)
    model.partition(0)
    model.wait(AWAY)
    model.come_back()
    model.wait(6.0)
    (reader,) = model.story(0).readers
    assert reader.interruption
    assert reader.interruption.error.code == "TURN_ABANDONED"
    assert (asked := model.story(0).model)
    assert asked.is_over


def test_outage_while_settling_is_waited_for(model: TurnModel) -> None:
    """Callers are told to come again after some seconds; the end is told once it is known."""
    model.open(0, None)
    model.delta(0, 2)
    model.outage("database")
    model.end(0, False)
    model.wait(AWAY)
    model.wait(AWAY)
    (caller,) = model.story(0).readers
    assert caller.interruption
    assert caller.interruption.error.code == "SERVICE_UNAVAILABLE"
    model.come_back()
    model.wait(5.0)
    model.follow(0, 0, caller.number)
    assert isinstance(model.story(0).readers[-1].events[-1], TurnEnded)
