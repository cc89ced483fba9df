from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from apps.chat.engine.events import AnswerDelta, TurnEnded, TurnEvent, TurnFailed, TurnStarted
from apps.chat.engine.log import WAKE_BATCH_SIZE, WAKE_PAUSE_SECONDS, TurnLog
from apps.chat.errors import ModelError
from tests.chat.test_sse import ENDED

START = TurnStarted("c1", "m1", "t1")
A, B = AnswerDelta("a"), AnswerDelta("b")


async def rest(log: TurnLog, *, after: int = 0) -> list[TurnEvent]:
    return [event async for events in log.follow(after=after) for event in events]


async def settle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_follow_gives_what_came_before_at_once() -> None:
    assert [list(events) async for events in TurnLog([START, A, ENDED]).follow()] == [
        [START, A, ENDED]
    ]


async def test_follow_gives_events_as_they_come() -> None:
    log = TurnLog([START])
    seen: list[Sequence[TurnEvent]] = []

    async def read() -> None:
        seen.extend([list(events) async for events in log.follow()])

    reader = asyncio.create_task(read())
    for event in (A, B, ENDED):
        await settle()
        log.append(event)
    await reader
    assert seen == [[START], [A], [B], [ENDED]]


async def test_follow_gives_together_what_came_together() -> None:
    log = TurnLog([START])
    follower = log.follow()
    assert list(await anext(follower)) == [START]
    waiting = asyncio.create_task(anext(follower))
    await settle()
    for event in (A, B):
        log.append(event)
    assert list(await waiting) == [A, B]
    await follower.aclose()


async def test_follow_misses_nothing_that_comes_while_its_reader_is_busy() -> None:
    log = TurnLog([START])
    follower = log.follow()
    await anext(follower)
    log.append(A)
    await settle()
    log.append(B)
    assert list(await anext(follower)) == [A, B]
    await follower.aclose()


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_follow_begins_after_the_number_it_is_given(after: int) -> None:
    assert await rest(TurnLog([START, A, ENDED]), after=after) == [START, A, ENDED][after:]


async def test_follow_ends_with_a_failure_too() -> None:
    failed = TurnFailed(ModelError())
    assert await rest(TurnLog([START, failed])) == [START, failed]


async def test_followers_each_get_everything() -> None:
    log = TurnLog([START])
    readers = [asyncio.create_task(rest(log)) for _ in range(5)]
    await settle()
    log.append(A)
    late = asyncio.create_task(rest(log))
    await settle()
    log.append(ENDED)
    assert await asyncio.gather(*readers, late) == [[START, A, ENDED]] * 6


async def test_follower_that_leaves_takes_nothing_with_it() -> None:
    log = TurnLog([START])
    stays, leaves = asyncio.create_task(rest(log)), asyncio.create_task(rest(log))
    await settle()
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    log.append(ENDED)
    assert (await stays, leaves.cancelled()) == ([START, ENDED], True)


async def test_idle_follower_hears_of_it_again_and_again() -> None:
    log = TurnLog([START])
    follower = log.follow(idle_seconds=0.01)
    assert [list(await anext(follower)) for _ in range(3)] == [[START], [], []]
    log.append(ENDED)
    assert [list(events) async for events in follower] == [[ENDED]]


async def test_second_is_the_event_after_the_start() -> None:
    log = TurnLog([START])
    waiting = asyncio.create_task(log.first_event(timeout=10))
    await settle()
    assert not waiting.done()
    log.append(A)
    assert await waiting == A
    assert await TurnLog([START, TurnFailed(error := ModelError())]).first_event(
        timeout=10
    ) == TurnFailed(error)


async def test_second_is_none_when_the_model_is_slow() -> None:
    assert await TurnLog([START]).first_event(timeout=0.01) is None


async def test_outcome_waits_for_the_end() -> None:
    log = TurnLog([START, A])
    waiting = [asyncio.create_task(log.outcome()) for _ in range(3)]
    await settle()
    assert [task.done() for task in waiting] == [False, False, False]
    log.append(ENDED)
    outcomes: list[TurnEnded | TurnFailed] = await asyncio.gather(*waiting)
    assert outcomes == [ENDED] * 3


async def test_outcome_of_a_turn_that_is_over_is_there_at_once() -> None:
    assert await TurnLog([START, ENDED]).outcome() == ENDED


async def test_second_event_of_a_log_with_one_is_that_one() -> None:
    failed = TurnFailed(ModelError())
    assert await TurnLog([failed]).first_event(timeout=1) == failed


async def test_hundreds_of_followers_miss_nothing() -> None:
    log = TurnLog([START])
    readers = [asyncio.create_task(rest(log)) for _ in range(10 * WAKE_BATCH_SIZE)]
    await settle()
    for event in (A, B, A):
        log.append(event)
        await asyncio.sleep(1.5 * WAKE_PAUSE_SECONDS)  # so that events come in the middle of rounds
    log.append(ENDED)
    assert [await reader for reader in readers] == [[START, A, B, A, ENDED]] * len(readers)


async def test_first_followers_wait_for_no_round() -> None:
    log = TurnLog([START])
    followers = [log.follow(after=1) for _ in range(3 * WAKE_BATCH_SIZE)]
    waiting = [asyncio.create_task(anext(follower)) for follower in followers]
    await settle()
    log.append(A)
    await settle()
    assert [task.done() for task in waiting] == [True] * WAKE_BATCH_SIZE + [
        False
    ] * 2 * WAKE_BATCH_SIZE
    assert [list(events) for events in await asyncio.gather(*waiting)] == [[A]] * len(waiting)
    for follower in followers:
        await follower.aclose()
