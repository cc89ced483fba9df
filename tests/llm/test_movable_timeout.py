from __future__ import annotations

import asyncio

import pytest

from apps.llm.movable_timeout import MovableTimeout


def soon(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_wait_past_the_deadline_times_out() -> None:
    with pytest.raises(TimeoutError), MovableTimeout(soon(0.05)):
        await asyncio.sleep(5)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_deadline_can_move_later() -> None:
    with MovableTimeout(soon(0.2)) as timeout:
        for _ in range(4):
            await asyncio.sleep(0.1)
            timeout.reschedule(soon(0.2))


@pytest.mark.parametrize(("first", "then"), [(0.05, 0.1), (5, 0.05)], ids=["later", "earlier"])
async def test_moved_deadline_times_out(first: float, then: float) -> None:
    async def wait() -> None:
        with MovableTimeout(soon(first)) as timeout:
            timeout.reschedule(soon(then))
            await asyncio.sleep(5)

    async with asyncio.timeout(3):
        with pytest.raises(TimeoutError):
            await asyncio.create_task(wait())


async def test_passed_deadline_allows_what_does_not_wait() -> None:
    with MovableTimeout(soon(-1)):
        pass
    with pytest.raises(TimeoutError), MovableTimeout(soon(-1)):
        await asyncio.sleep(5)


async def test_timeout_ends_with_its_block() -> None:
    with MovableTimeout(soon(0.02)) as timeout:
        await asyncio.sleep(0)
    timeout.reschedule(soon(0.01))
    await asyncio.sleep(0.05)


async def test_cancellation_by_others_passes_through() -> None:
    async def wait() -> None:
        with MovableTimeout(soon(5)):
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancellation_at_the_deadline_is_not_swallowed() -> None:
    deadline = soon(0.05)

    async def wait() -> None:
        with MovableTimeout(deadline):
            await asyncio.sleep(5)

    task = asyncio.create_task(wait())
    # The same moment as the timeout's, so both cancel in one turn of the loop.
    asyncio.get_running_loop().call_at(deadline, task.cancel)

    with pytest.raises(asyncio.CancelledError):
        await task
