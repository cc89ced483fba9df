from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from django.test import override_settings

from apps.chat.engine.events import AnswerDelta, LastEvent, TurnEvent, TurnFailed, TurnStarted
from apps.chat.engine.log import WAKE_BATCH_SIZE, WAKE_PAUSE_SECONDS, TurnLog
from apps.chat.errors import ModelError
from apps.chat.http import sse
from apps.chat.http.stream_format import encode_stream
from tests.chat.test_sse import ENDED

START = TurnStarted("c1", "m1", "t1")
A, B = AnswerDelta("a"), AnswerDelta("b")


async def read_all(log: TurnLog, *, after: int = 0) -> list[TurnEvent]:
    return [event async for events in log.follow(after=after) for event in events]


async def run_pending_tasks() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_follow_yields_earlier_events_together() -> None:
    assert [list(events) async for events in TurnLog([START, A, ENDED]).follow()] == [
        [START, A, ENDED]
    ]


async def test_follow_yields_events_as_they_arrive() -> None:
    log = TurnLog([START])
    received: list[Sequence[TurnEvent]] = []

    async def read() -> None:
        received.extend([list(events) async for events in log.follow()])

    reader = asyncio.create_task(read())
    for event in (A, B, ENDED):
        await run_pending_tasks()
        log.append(event)
    await reader
    assert received == [[START], [A], [B], [ENDED]]


async def test_follow_yields_simultaneous_events_together() -> None:
    log = TurnLog([START])
    follower = log.follow()
    assert list(await anext(follower)) == [START]
    waiting = asyncio.create_task(anext(follower))
    await run_pending_tasks()
    for event in (A, B):
        log.append(event)
    assert list(await waiting) == [A, B]
    await follower.aclose()


async def test_follow_keeps_events_while_the_reader_is_busy() -> None:
    log = TurnLog([START])
    follower = log.follow()
    await anext(follower)
    log.append(A)
    await run_pending_tasks()
    log.append(B)
    assert list(await anext(follower)) == [A, B]
    await follower.aclose()


@pytest.mark.parametrize("after", [0, 1, 2, 3])
async def test_follow_starts_after_the_given_number(after: int) -> None:
    assert await read_all(TurnLog([START, A, ENDED]), after=after) == [START, A, ENDED][after:]


async def test_number_beyond_the_end_gets_the_last_event() -> None:
    ended = TurnLog([START, A, ENDED])
    assert await read_all(ended, after=4) == [ENDED]
    frames = [frame async for frame in encode_stream(ended, after=10**6)]
    assert frames == [sse.encode_event(3, ENDED), sse.DONE]


async def test_number_beyond_the_events_so_far_gets_the_end() -> None:
    log = TurnLog([START])
    reader = asyncio.create_task(read_all(log, after=9))
    await run_pending_tasks()
    for event in (A, ENDED):
        log.append(event)
    assert await reader == [ENDED]


async def test_numbers_go_on_after_a_wait_of_a_copy_that_is_still_filled() -> None:
    copy = TurnLog()
    with override_settings(STREAM_HEARTBEAT_SECONDS=0.01):
        stream = encode_stream(copy, after=2)
        heartbeat = await anext(stream)
        for event in (START, A, B, ENDED):
            copy.append(event)
        frames = [heartbeat, *[frame async for frame in stream]]
    told = sse.encode_event(3, B) + sse.encode_event(4, ENDED)
    assert [frame for frame in frames if frame != sse.HEARTBEAT] == [told, sse.DONE]


async def test_follow_ends_with_a_failure() -> None:
    failed = TurnFailed(ModelError())
    assert await read_all(TurnLog([START, failed])) == [START, failed]


async def test_each_follower_gets_all_events() -> None:
    log = TurnLog([START])
    readers = [asyncio.create_task(read_all(log)) for _ in range(5)]
    await run_pending_tasks()
    log.append(A)
    late = asyncio.create_task(read_all(log))
    await run_pending_tasks()
    log.append(ENDED)
    assert await asyncio.gather(*readers, late) == [[START, A, ENDED]] * 6


async def test_cancelled_follower_does_not_affect_others() -> None:
    log = TurnLog([START])
    staying, cancelled = asyncio.create_task(read_all(log)), asyncio.create_task(read_all(log))
    await run_pending_tasks()
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    log.append(ENDED)
    assert (await staying, cancelled.cancelled()) == ([START, ENDED], True)


async def test_idle_follower_yields_empty_lists() -> None:
    log = TurnLog([START])
    follower = log.follow(idle_seconds=0.01)
    assert [list(await anext(follower)) for _ in range(3)] == [[START], [], []]
    log.append(ENDED)
    assert [list(events) async for events in follower] == [[ENDED]]


async def test_first_event_is_the_one_after_the_start() -> None:
    log = TurnLog([START])
    waiting = asyncio.create_task(log.first_event(timeout=10))
    await run_pending_tasks()
    assert not waiting.done()
    log.append(A)
    assert await waiting == A
    assert await TurnLog([START, TurnFailed(error := ModelError())]).first_event(
        timeout=10
    ) == TurnFailed(error)


async def test_first_event_is_none_after_the_timeout() -> None:
    assert await TurnLog([START]).first_event(timeout=0.01) is None


async def test_outcome_waits_for_the_end() -> None:
    log = TurnLog([START, A])
    waiting = [asyncio.create_task(log.outcome()) for _ in range(3)]
    await run_pending_tasks()
    assert [task.done() for task in waiting] == [False, False, False]
    log.append(ENDED)
    outcomes: list[LastEvent] = list(await asyncio.gather(*waiting))
    assert outcomes == [ENDED] * 3


async def test_outcome_of_an_ended_turn_is_immediate() -> None:
    assert await TurnLog([START, ENDED]).outcome() == ENDED


async def test_first_event_of_a_log_with_one_event_is_it() -> None:
    failed = TurnFailed(ModelError())
    assert await TurnLog([failed]).first_event(timeout=1) == failed


async def test_hundreds_of_followers_get_all_events() -> None:
    log = TurnLog([START])
    readers = [asyncio.create_task(read_all(log)) for _ in range(10 * WAKE_BATCH_SIZE)]
    await run_pending_tasks()
    for event in (A, B, A):
        log.append(event)
        await asyncio.sleep(1.5 * WAKE_PAUSE_SECONDS)  # so that events arrive between batches
    log.append(ENDED)
    assert [await reader for reader in readers] == [[START, A, B, A, ENDED]] * len(readers)


async def test_first_batch_of_followers_is_woken_immediately() -> None:
    log = TurnLog([START])
    followers = [log.follow(after=1) for _ in range(3 * WAKE_BATCH_SIZE)]
    waiting = [asyncio.create_task(anext(follower)) for follower in followers]
    await run_pending_tasks()
    log.append(A)
    await run_pending_tasks()
    assert [task.done() for task in waiting] == [True] * WAKE_BATCH_SIZE + [
        False
    ] * 2 * WAKE_BATCH_SIZE
    assert [list(events) for events in await asyncio.gather(*waiting)] == [[A]] * len(waiting)
    for follower in followers:
        await follower.aclose()
