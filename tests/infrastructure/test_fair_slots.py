from __future__ import annotations

import asyncio

import pytest

from apps.infrastructure.concurrency.fair_slots import FairSlots, SlotRefused


async def test_clients_take_turns() -> None:
    slots = FairSlots(2, per_client=2, max_waiting=100, wait_seconds=60)
    order: list[str] = []

    async def work(client: str) -> None:
        await slots.acquire(client)
        order.append(client)
        await asyncio.sleep(0)
        slots.release(client)

    greedy = [asyncio.create_task(work("greedy")) for _ in range(50)]
    await asyncio.sleep(0)
    modest = asyncio.create_task(work("modest"))
    await asyncio.gather(*greedy, modest)
    assert order.count("greedy") == 50
    assert order.index("modest") <= 6  # those that have a slot already, and one turn


async def test_client_never_has_more_than_its_share() -> None:
    slots = FairSlots(4, per_client=3, max_waiting=1, wait_seconds=0.01)
    for _ in range(3):
        await slots.acquire("greedy")
    with pytest.raises(SlotRefused):
        await slots.acquire("greedy")  # waited too long
    await slots.acquire("modest")
    waiting = asyncio.create_task(slots.acquire("other"))
    await asyncio.sleep(0)
    with pytest.raises(SlotRefused):
        await slots.acquire("other")  # too many wait
    slots.release("greedy")
    await waiting


async def test_cancelled_request_gives_its_slot_to_the_next() -> None:
    slots = FairSlots(1, per_client=1, max_waiting=10, wait_seconds=60)
    await slots.acquire("a")
    waiting = [asyncio.create_task(slots.acquire(client)) for client in ("b", "c", "d")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    slots.release("a")  # goes to c, which leaves at the same moment
    waiting[1].cancel()
    await asyncio.wait(waiting, timeout=20)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    slots.release("d")
    await slots.acquire("a")


async def test_slot_skips_a_request_that_is_being_cancelled() -> None:
    slots = FairSlots(1, per_client=1, max_waiting=10, wait_seconds=60)
    await slots.acquire("a")
    waiting = [asyncio.create_task(slots.acquire(client)) for client in ("b", "c")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    slots.release("a")  # before b has noticed
    await asyncio.wait(waiting, timeout=20)
    assert [task.cancelled() for task in waiting] == [True, False]
    slots.release("c")
    await slots.acquire("b")
