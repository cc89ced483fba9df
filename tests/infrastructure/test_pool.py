from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from django.db import connection

from apps.infrastructure.postgres import pool
from apps.infrastructure.postgres.pool import MAX_CONNECTIONS, close_pool, execute
from apps.infrastructure.postgres.threads import in_thread

TRANSACTION = "SELECT pg_current_xact_id()::text"


@pytest.fixture(autouse=True)
async def _closed(committed: None) -> AsyncIterator[None]:
    yield
    await close_pool()


@pytest.fixture
def two_tables(committed: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plan_full AS SELECT id FROM generate_series(1, 10) AS id")
        cursor.execute("CREATE TABLE plan_filling (id integer)")
        for table in ("plan_full", "plan_filling"):
            cursor.execute(f"CREATE INDEX ON {table} (id)")
            cursor.execute(f"VACUUM ANALYZE {table}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE plan_full, plan_filling")


def fill_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO plan_filling SELECT generate_series(1, 20000)")


async def test_statement_runs_on_djangos_database() -> None:
    name = connection.settings_dict["NAME"]
    assert await execute("SELECT current_database(), %s::integer + 1", 2) == [(name, 3)]


async def test_statement_is_committed_and_planned_once() -> None:
    query = "SELECT current_setting('plan_cache_mode'), current_setting('enable_seqscan')"
    assert await execute(query) == [("force_generic_plan", "off")]
    plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE NOT from_sql"
    transactions = {row[0] for _ in range(3) for row in await execute(TRANSACTION)}
    assert len(transactions) == 3
    assert all(custom == 0 for _, custom in await execute(plans))


async def test_plan_of_a_table_that_was_empty_is_replaced(
    monkeypatch: pytest.MonkeyPatch, two_tables: None
) -> None:
    monkeypatch.setattr(pool, "MAX_CONNECTIONS", 1)
    query = "SELECT count(*) FROM plan_filling JOIN plan_full USING (id)"

    async def outer_table() -> str:
        name = f"SELECT name FROM pg_prepared_statements WHERE statement = '{query}'"
        ((name,),) = await execute(name)
        ((plan,),) = await execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}")
        join = plan[0]["Plan"]["Plans"][0]
        return str(join["Plans"][0]["Relation Name"])

    assert await execute(query) == [(0,)]
    assert await outer_table() == "plan_filling"
    await in_thread(fill_table)
    await asyncio.sleep(1.1)
    assert await execute(query) == [(10,)]
    assert await outer_table() == "plan_full"


async def test_burst_shares_a_bounded_number_of_connections() -> None:
    query = "SELECT pg_backend_pid() FROM pg_sleep(0.01)"
    rows = await asyncio.gather(*(execute(query) for _ in range(4 * MAX_CONNECTIONS)))
    backends = {pid for ((pid,),) in rows}
    assert len(rows) == 4 * MAX_CONNECTIONS
    assert 1 <= len(backends) <= MAX_CONNECTIONS


async def test_failed_statement_leaves_the_connection_usable() -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await execute("SELECT 1 / 0")
    assert await execute("SELECT 1") == [(1,)]


def terminate_backend(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_connection_that_died_while_idle_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ((pid,),) = await execute("SELECT pg_backend_pid()")
    await in_thread(terminate_backend, pid)
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.0)  # as if the pause had been a long one
    ((other,),) = await execute("SELECT pg_backend_pid()")
    assert other != pid


async def test_connection_that_dies_in_use_fails_only_its_statement() -> None:
    with pytest.raises(psycopg.OperationalError):
        await execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await execute("SELECT 1") == [(1,)]


async def test_closed_pool_is_reopened_on_use() -> None:
    ((pid,),) = await execute("SELECT pg_backend_pid()")
    await close_pool()
    await close_pool()
    ((other,),) = await execute("SELECT pg_backend_pid()")
    assert other != pid
