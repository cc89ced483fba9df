"""The connections on which turns search."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from apps.infrastructure.postgres.pool import close_pool, connection_parameters
from apps.knowledge.search.connections import MAX_CONNECTIONS, execute

LOCK = 0x736C6F77
SEARCHES = 3 * MAX_CONNECTIONS


@pytest.fixture
async def locker(committed: None) -> AsyncIterator[psycopg.AsyncConnection]:
    """A connection that holds a lock, for which searches wait."""
    async with await psycopg.AsyncConnection.connect(**connection_parameters()) as locker:
        await locker.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield locker
    await close_pool()


async def test_workspace_with_slow_searches_delays_no_other(
    locker: psycopg.AsyncConnection,
) -> None:
    slow = "SELECT pg_advisory_xact_lock_shared(%(lock)s)"
    busy = [asyncio.create_task(execute("busy", slow, {"lock": LOCK})) for _ in range(SEARCHES)]
    await asyncio.sleep(0)  # all of them are before the other
    assert await execute("other", "SELECT 1", {}) == [(1,)]
    assert not any(task.done() for task in busy)
    await locker.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    assert len(await asyncio.gather(*busy)) == SEARCHES
