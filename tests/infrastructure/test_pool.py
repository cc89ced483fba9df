from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from django.db import connection

from apps.infrastructure.postgres import pool as database
from apps.infrastructure.postgres.pool import MAX_CONNECTIONS, close_pool, execute
from apps.infrastructure.postgres.threads import in_thread

TRANSACTION = "SELECT pg_current_xact_id()::text"


@pytest.fixture(autouse=True)
async def closed_afterwards(committed: None) -> AsyncIterator[None]:
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


def fill() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO plan_filling SELECT generate_series(1, 20000)")


async def test_statement_runs_on_the_same_database_as_djangos() -> None:
    name = connection.settings_dict["NAME"]
    assert await execute("SELECT current_database(), %s::integer + 1", 2) == [(name, 3)]


async def test_statement_is_committed_by_itself_and_planned_once() -> None:
    asked = "SELECT current_setting('plan_cache_mode'), current_setting('enable_seqscan')"
    assert await execute(asked) == [("force_generic_plan", "off")]
    plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE NOT from_sql"
    transactions = {row[0] for _ in range(3) for row in await execute(TRANSACTION)}
    assert len(transactions) == 3
    assert all(custom == 0 for _, custom in await execute(plans))


async def test_plan_for_an_empty_table_is_made_anew_once_it_has_filled(
    monkeypatch: pytest.MonkeyPatch, two_tables: None
) -> None:
    monkeypatch.setattr(database, "MAX_CONNECTIONS", 1)
    asked = "SELECT count(*) FROM plan_filling JOIN plan_full USING (id)"

    async def outer_table() -> str:
        name = f"SELECT name FROM pg_prepared_statements WHERE statement = '{asked}'"
        ((name,),) = await execute(name)
        ((plan,),) = await execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name}")
        join = plan[0]["Plan"]["Plans"][0]
        return str(join["Plans"][0]["Relation Name"])

    assert await execute(asked) == [(0,)]
    assert await outer_table() == "plan_filling"
    await in_thread(fill)
    await asyncio.sleep(1.1)
    assert await execute(asked) == [(10,)]
    assert await outer_table() == "plan_full"


async def test_burst_waits_for_a_bounded_number_of_connections() -> None:
    asked = "SELECT pg_backend_pid() FROM pg_sleep(0.01)"
    rows = await asyncio.gather(*(execute(asked) for _ in range(4 * MAX_CONNECTIONS)))
    backends = {pid for ((pid,),) in rows}
    assert len(rows) == 4 * MAX_CONNECTIONS
    assert 1 <= len(backends) <= MAX_CONNECTIONS


async def test_refused_statement_leaves_the_connection_usable() -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await execute("SELECT 1 / 0")
    assert await execute("SELECT 1") == [(1,)]


def end_backend(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_connections_that_died_in_a_pause_are_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ((pid,),) = await execute("SELECT pg_backend_pid()")
    await in_thread(end_backend, pid)
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.0)  # as if the pause had been a long one
    ((other,),) = await execute("SELECT pg_backend_pid()")
    assert other != pid


async def test_connection_that_dies_in_use_fails_its_statement_alone() -> None:
    with pytest.raises(psycopg.OperationalError):
        await execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await execute("SELECT 1") == [(1,)]


async def test_pool_is_opened_anew_after_it_was_closed() -> None:
    ((pid,),) = await execute("SELECT pg_backend_pid()")
    await close_pool()
    await close_pool()
    ((other,),) = await execute("SELECT pg_backend_pid()")
    assert other != pid
