"""PostgreSQL from async code: a bounded pool of psycopg's own connections.

For the few statements that every turn needs; all else goes through the ORM and `in_thread`. The
same database and settings as Django's, one pool for each event loop, each statement prepared once
a connection and committed by itself.
"""

from __future__ import annotations

import time
from typing import Any, LiteralString

import psycopg
from django.db import connection
from psycopg_pool import AsyncConnectionPool

from apps.infrastructure.concurrency.loop_local import PerLoop

MAX_CONNECTIONS = 6
_WAIT_SECONDS = 10.0
_IDLE_SECONDS = 1.0
MAX_PLAN_SECONDS = 10.0
"""How long a connection keeps its plans: a second at first, then twice as long each time, up to
this. Nothing else tells PostgreSQL that a table which was empty when it planned has filled since:
until somebody analyzes the table, a look-up by the wrong index, which did for a few rows, goes on
by it among many. That holds for triggers and foreign keys, too."""

# One plan for many runs, made of look-ups by index: planning such a statement costs more than
# running it.
# A lock is waited for no longer than a caller would, so that one who holds an account does not
# hold up the others.
_SETTINGS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
    "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c lock_timeout=1000"
)


class _Connection(psycopg.AsyncConnection[Any]):
    used_at = 0.0
    planned_at = 0.0
    plan_seconds = 0.5  # doubled before it counts


Pool = AsyncConnectionPool[_Connection]


async def execute(statement: LiteralString, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement, committed when this returns; its rows.

    Raises psycopg's errors, or PoolTimeout when no connection comes free.
    """
    async with (await _pool()).connection() as kept:
        try:
            cursor = await kept.execute(statement, parameters, prepare=True)
            return await cursor.fetchall()
        finally:
            kept.used_at = time.monotonic()


async def close_pool() -> None:
    """Close the running loop's pool, if it has one."""
    if pool := _pools.pop():
        await pool.close()


async def _pool() -> Pool:
    pool = _pools.get()
    if pool.closed:  # as each one is at first; to open it twice at once is safe
        await pool.open()
    return pool


def _new_pool() -> Pool:
    return AsyncConnectionPool(
        kwargs=connection_parameters(),
        connection_class=_Connection,
        min_size=1,
        max_size=MAX_CONNECTIONS,
        timeout=_WAIT_SECONDS,
        check=_check,
        open=False,
    )


_pools = PerLoop(_new_pool)


def connection_parameters() -> dict[str, Any]:
    """How these connections are made: Django's own parameters, and our settings."""
    given = connection.get_connection_params()
    for ours in ("cursor_factory", "context", "prepare_threshold", "pool"):
        given.pop(ours, None)
    options = f"{given.pop('options', '')} {_SETTINGS}".strip()
    return {**given, "options": options, "autocommit": True}


async def _check(kept: _Connection) -> None:
    """After a pause the server may have gone or been restarted: find out before it matters. Old
    plans are dropped, and made anew of what the tables hold by now."""
    now = time.monotonic()
    if now - kept.planned_at > kept.plan_seconds:
        await kept.execute("DISCARD PLANS")
        kept.planned_at = now
        kept.plan_seconds = min(2 * kept.plan_seconds, MAX_PLAN_SECONDS)
    elif now - kept.used_at > _IDLE_SECONDS:
        await AsyncConnectionPool.check_connection(kept)
