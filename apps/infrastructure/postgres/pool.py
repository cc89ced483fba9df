"""Execute SQL from async code over pools of connections.

Only for the few statements that turns need; everything else uses the ORM and `in_thread`. Each
event loop has one pool for the short statements of every turn, and each `LoopPool` has another:
what is slow there holds up no turn that does not need it. Statements are prepared once per
connection, and each is committed by itself.

A connection is opened by whoever needs it, so a failure is theirs at once: psycopg's own pool
connects in the background, with pauses that double, while its users wait.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus

from apps.infrastructure.concurrency.loop_local import PerLoop
from apps.infrastructure.postgres import circuit
from apps.infrastructure.postgres.connections import AsyncConnection
from apps.infrastructure.postgres.errors import DatabaseUnavailable
from apps.infrastructure.postgres.lock_and_write import LockingConnection, Statement

MAX_CONNECTIONS = 6
_WAIT_SECONDS = 5.0
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


class _Connection(LockingConnection, AsyncConnection):
    planned_at = 0.0
    plan_seconds = 0.5  # doubled before it counts


class Pool:
    """At most `size` connections with these settings, opened when needed and used in turns."""

    def __init__(self, size: int = MAX_CONNECTIONS, settings: str = _SETTINGS) -> None:
        self._settings = settings
        self._idle: deque[_Connection] = deque()
        self._free = asyncio.Semaphore(size)
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[_Connection]:
        """Lend a connection. Raises DatabaseUnavailable."""
        await self._wait_until_free()
        try:
            pooled = await self._take()
            try:
                yield pooled
            finally:
                await self._put_back(pooled)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close the idle connections, and the others when they come back."""
        self._closed = True
        while self._idle:
            await self._idle.popleft().close()

    async def _wait_until_free(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise DatabaseUnavailable("no connection became free") from None

    async def _take(self) -> _Connection:
        while self._idle:
            pooled = self._idle.popleft()
            if not pooled.age.is_over and await _is_ready(pooled):
                return pooled
            await pooled.close()
        try:
            return await _Connection.connect(**connection_parameters(self._settings))
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable("no connection was opened") from error

    async def _put_back(self, pooled: _Connection) -> None:
        pooled.used_at = time.monotonic()
        if self._closed or pooled.pgconn.transaction_status != TransactionStatus.IDLE:
            await pooled.close()
        else:
            self._idle.append(pooled)


class LoopPool:
    """A pool of each event loop for statements of one kind.

    `settings`: PostgreSQL's, as `-c name=value`.
    """

    def __init__(self, *, size: int, settings: str) -> None:
        self._pools = PerLoop(lambda: Pool(size, settings))
        _all_pools.append(self._pools)

    async def execute(
        self, statement: str, parameters: Sequence[Any] | Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Execute one statement, commit, and return its rows.

        Raises psycopg's errors, or DatabaseUnavailable when it was not tried.
        """
        return await _execute(self._pools.get(), statement, parameters)


async def execute(statement: LiteralString, *parameters: Any) -> list[tuple[Any, ...]]:
    """Execute one statement of a turn, commit, and return its rows.

    Raises psycopg's errors, or DatabaseUnavailable when it was not tried.
    """
    return await _execute(_pools.get(), statement, parameters)


async def _execute(
    pool: Pool, statement: str, parameters: Sequence[Any] | Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    async with pool.connection() as pooled:
        cursor = await pooled.execute(statement.encode(), parameters, prepare=True)
        return await cursor.fetchall()


async def lock_and_write(lock: Statement, write: Statement) -> list[tuple[Any, ...]]:
    """Execute `lock`, then `write` with what has been committed meanwhile, in one transaction.

    Returns the rows of `write`. Raises as `execute`.
    """
    async with _pools.get().connection() as pooled:
        return await pooled.lock_and_write(lock, write)


async def close_pool() -> None:
    """Close the running loop's pools, if it has any."""
    for pools in _all_pools:
        if pool := pools.pop():
            await pool.close()


_pools = PerLoop(Pool)
_all_pools = [_pools]


def connection_parameters(settings: str = _SETTINGS) -> dict[str, Any]:
    """Django's connection parameters, with these settings."""
    parameters = circuit.connection_parameters()
    options = f"{parameters.pop('options', '')} {settings}".strip()
    return {**parameters, "options": options}


async def _is_ready(pooled: _Connection) -> bool:
    """Discard old plans, and after a pause, check that the connection is alive."""
    now = time.monotonic()
    try:
        if now - pooled.planned_at > pooled.plan_seconds:
            await pooled.execute("DISCARD PLANS")
            pooled.planned_at = now
            pooled.plan_seconds = min(2 * pooled.plan_seconds, MAX_PLAN_SECONDS)
        elif now - pooled.used_at > _IDLE_SECONDS:
            await pooled.execute("")
    except psycopg.Error:
        return False
    return True
