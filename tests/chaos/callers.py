"""The load: callers that send one request after the other, over every transport."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.chaos.completion_calls import CompletionCalls
from tests.chaos.http_calls import HttpCalls
from tests.chaos.record import Record, Target
from tests.chaos.session import CLIENT_SECONDS, Session
from tests.chaos.socket_calls import SocketCalls

CALLERS = 10


async def run_callers(
    target: Target, rng: random.Random, seconds: float, meanwhile: Callable[[], Awaitable[Any]]
) -> Record:
    """Run CALLERS for so long, with `meanwhile` beside them; wait until each is told its end."""
    record, stopped = Record(), asyncio.Event()
    callers = [
        asyncio.create_task(
            _run_caller(Session(target, record, random.Random(rng.random())), number, stopped)
        )
        for number in range(CALLERS)
    ]
    faults = asyncio.create_task(_collect(meanwhile()))
    await asyncio.sleep(seconds)
    await faults
    stopped.set()
    for caller in callers:
        await caller
    return record


async def _run_caller(session: Session, number: int, stopped: asyncio.Event) -> None:
    """Make one call after the other until `stopped`, and see each to its end."""
    http = HttpCalls(session)
    transports = [
        http.choices,
        SocketCalls(session, http).choices,
        CompletionCalls(session).choices,
    ]
    count = 0
    async with session.client:
        while not stopped.is_set():
            count += 1
            call = session.rng.choice(session.rng.choice(transports))
            try:
                await call(f"{number}-{count}")
            except (httpx.TimeoutException, TimeoutError) as error:
                session.violation(f"waited {CLIENT_SECONDS:.0f} s: {error!r}")


async def _collect(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
