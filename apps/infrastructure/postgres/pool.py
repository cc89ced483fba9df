"""Execute SQL from async code over psycopg's connection pool.

Only for the few statements that every turn needs; everything else uses the ORM and `in_thread`.
Each event loop has one pool for Django's database. Statements are prepared once per connection,
and each is committed by itself.
"""

import time
from typing import Any, LiteralString

from django.db import connection
from psycopg_pool import AsyncConnectionPool

from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres.lock_and_write import LockingConnection, Statement

MAX_CONNECTIONS = 6
_WAIT_SECONDS = 10.0
_IDLE_SECONDS = 1.0
MAX_PLAN_SECONDS = 10.0
"""How long a connection keeps its query plans: a second at first, then twice as long each time, up
to this. Otherwise PostgreSQL would not notice that a table which was empty when it planned has been
filled: until the table is analyzed, a plan with the wrong index, good enough for a few rows, would
be used for many. That applies to triggers and foreign keys, too."""

# Generic plans that use indexes: planning such a statement costs more than executing it.
# The lock time-out is no longer than a caller would wait, so that one who has locked an account
# does not block the others.
_SETTINGS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
    "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c lock_timeout=1000"
)


class _Connection(LockingConnection):
    used_at = 0.0
    planned_at = 0.0
    plan_seconds = 0.5  # doubled before it counts


Pool = AsyncConnectionPool[_Connection]


async def execute(statement: LiteralString, *parameters: Any) -> list[tuple[Any, ...]]:
    """Execute one statement, commit, and return its rows.

    Raises psycopg's errors, or PoolTimeout when no connection becomes free.
    """
    async with (await _pool()).connection() as pooled:
        try:
            cursor = await pooled.execute(statement, parameters, prepare=True)
            return await cursor.fetchall()
        finally:
            pooled.used_at = time.monotonic()


async def lock_and_write(lock: Statement, write: Statement) -> list[tuple[Any, ...]]:
    """Execute `lock`, then `write` with what has been committed meanwhile, in one transaction.

    Returns the rows of `write`. Raises as `execute`.
    """
    async with (await _pool()).connection() as pooled:
        try:
            return await pooled.lock_and_write(lock, write)
        finally:
            pooled.used_at = time.monotonic()


async def close_pool() -> None:
    """Close the running loop's pool, if it has one."""
    if pool := _pools.pop():
        await pool.close()


async def _pool() -> Pool:
    pool = _pools.get()
    if pool.closed:  # as it is when created; opening it twice concurrently is safe
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
    """Django's connection parameters, with our settings."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(name, None)
    options = f"{parameters.pop('options', '')} {_SETTINGS}".strip()
    return {**parameters, "options": options, "autocommit": True}


async def _check(pooled: _Connection) -> None:
    """Before a connection is used: discard old plans, and after a pause, check that it is alive."""
    now = time.monotonic()
    if now - pooled.planned_at > pooled.plan_seconds:
        await pooled.execute("DISCARD PLANS")
        pooled.planned_at = now
        pooled.plan_seconds = min(2 * pooled.plan_seconds, MAX_PLAN_SECONDS)
    elif now - pooled.used_at > _IDLE_SECONDS:
        await AsyncConnectionPool.check_connection(pooled)
