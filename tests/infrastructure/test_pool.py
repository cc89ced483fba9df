from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from django.db import connection

from apps.infrastructure.postgres.pool import MAX_CONNECTIONS, LoopPool, close_pool, execute
from apps.infrastructure.postgres.threads import in_thread

TRANSACTION = "SELECT pg_current_xact_id()::text"
OUTER_TABLE = """
CREATE FUNCTION plan_outer_table(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  prepared text;
  plan json;
BEGIN
  SELECT name INTO STRICT prepared FROM pg_prepared_statements WHERE statement = query;
  EXECUTE format('EXPLAIN (FORMAT JSON) EXECUTE %I', prepared) INTO plan;
  RETURN plan -> 0 -> 'Plan' -> 'Plans' -> 0 -> 'Plans' -> 0 ->> 'Relation Name';
END $$
"""
"""The outer table of the join in the plan of a prepared statement of this connection."""


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
        cursor.execute(OUTER_TABLE)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE plan_full, plan_filling; DROP FUNCTION plan_outer_table")


def fill_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO plan_filling SELECT generate_series(1, 20000)")


async def execute_on_each_connection(
    statement: LiteralString, *parameters: Any
) -> set[tuple[Any, ...]]:
    """Execute the statement more often than there are connections, which are used in turns."""
    runs = [await execute(statement, *parameters) for _ in range(2 * MAX_CONNECTIONS)]
    return {row for rows in runs for row in rows}


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


async def test_plan_of_a_table_that_was_empty_is_replaced(two_tables: None) -> None:
    query: LiteralString = "SELECT count(*) FROM plan_filling JOIN plan_full USING (id)"
    outer_table: LiteralString = "SELECT plan_outer_table(%s)"
    assert await execute_on_each_connection(query) == {(0,)}
    assert await execute_on_each_connection(outer_table, query) == {("plan_filling",)}
    await in_thread(fill_table)
    await asyncio.sleep(2.1)  # a new connection keeps its plans for a second, then for two
    assert await execute_on_each_connection(query) == {(10,)}
    assert await execute_on_each_connection(outer_table, query) == {("plan_full",)}


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


def terminate_backends(pids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(unnest(%s::int[]), 5000)", [pids])


async def test_connections_that_died_while_idle_are_replaced() -> None:
    query: LiteralString = "SELECT pg_backend_pid()"
    await execute_on_each_connection(query)
    await asyncio.sleep(1.1)  # the plans are now kept for longer than a connection may be idle
    pids = {pid for (pid,) in await execute_on_each_connection(query)}
    await in_thread(terminate_backends, list(pids))
    await asyncio.sleep(1.1)
    others = {pid for (pid,) in await execute_on_each_connection(query)}
    assert pids & others == set()


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


other_pool = LoopPool(size=1, settings="-c enable_seqscan=on -c work_mem=5MB")


async def test_other_pool_has_connections_and_settings_of_its_own() -> None:
    query = "SELECT current_setting('enable_seqscan'), current_setting('work_mem'), %(n)s::int"
    assert await other_pool.execute(query, {"n": 1}) == [("on", "5MB", 1)]
    holding = asyncio.create_task(other_pool.execute("SELECT pg_backend_pid(), pg_sleep(1)", []))
    ((pid,),) = await execute("SELECT pg_backend_pid()")
    ((other, _),) = await holding
    assert other != pid


async def test_closing_the_pool_closes_the_others_too() -> None:
    query = "SELECT pg_backend_pid()"
    ((pid,),) = await other_pool.execute(query, [])
    await close_pool()
    ((other,),) = await other_pool.execute(query, [])
    assert other != pid
