from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from apps.llm.alarm import Alarm


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_late_wait_times_out() -> None:
    with closing(Alarm(soon(0.05))) as alarm, pytest.raises(TimeoutError), alarm:
        await asyncio.sleep(5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_deadline_moves_with_each_wait() -> None:
    with closing(Alarm(soon(0.2))) as alarm:
        for _ in range(4):
            with alarm:
                await asyncio.sleep(0.1)
            alarm.deadline = soon(0.2)


async def test_deadline_can_come_nearer() -> None:
    with closing(Alarm(soon(5))) as alarm:
        with alarm:
            await asyncio.sleep(0)
        alarm.deadline = soon(0.05)
        async with asyncio.timeout(1):
            with pytest.raises(TimeoutError), alarm:
                await asyncio.sleep(2)


async def test_passed_deadline_spares_what_is_ready() -> None:
    with closing(Alarm(soon(-1))) as alarm:
        with alarm:
            pass
        with pytest.raises(TimeoutError), alarm:
            await asyncio.sleep(5)


async def test_time_between_waits_does_not_count() -> None:
    with closing(Alarm(soon(0.05))) as alarm:
        with alarm:
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        alarm.deadline = soon(0.05)
        with pytest.raises(TimeoutError), alarm:
            await asyncio.sleep(5)


async def test_cancellation_by_others_passes_through() -> None:
    async def wait() -> None:
        with closing(Alarm(soon(5))) as alarm, alarm:
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_at_the_very_deadline_is_not_swallowed() -> None:
    deadline = soon(0.05)

    async def wait() -> None:
        with closing(Alarm(deadline)) as alarm, alarm:
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    # The same moment as the alarm's, so both cancel in one turn of the loop.
    asyncio.get_running_loop().call_at(deadline, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task
