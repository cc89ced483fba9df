"""A lock and a write in one round trip: one transaction, in which the write sees more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from threading import Event

import psycopg
import pytest
from django.db import connection, transaction

from apps.infrastructure.postgres.pool import close_pool, execute, lock_and_write
from apps.infrastructure.postgres.threads import in_thread

CREATE = """
CREATE TABLE locked (id text PRIMARY KEY, number integer CHECK (number > 0));
CREATE TABLE pointing (id text REFERENCES locked DEFERRABLE INITIALLY DEFERRED);
INSERT INTO locked VALUES ('a', 1)
"""
LOCK = "SELECT FROM locked WHERE id = %s FOR UPDATE"
READ = "SELECT number, (SELECT count(*) FROM pointing)::integer FROM locked WHERE id = %s"
WRITE = "UPDATE locked SET number = number - 1 WHERE id = %s RETURNING number"
POINT = "INSERT INTO pointing VALUES (%s) RETURNING id"


@pytest.fixture(autouse=True)
async def _closed(committed: None) -> AsyncIterator[None]:
    yield
    await close_pool()


@pytest.fixture(autouse=True)
def _tables(committed: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(CREATE)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pointing, locked")


def change_and_hold(changed: Event, may_commit: Event) -> None:
    """Set the number to 7 and point to the row, in a transaction that ends with the event."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE locked SET number = 7")
        cursor.execute("INSERT INTO pointing VALUES ('a')")
        changed.set()
        may_commit.wait(timeout=60)


async def read_while_held() -> tuple[
    asyncio.Task[list[tuple[int, int]]], asyncio.Task[None], Event
]:
    """A read behind a lock that another session holds, that session, and what ends it."""
    changed, may_commit = Event(), Event()
    holder = asyncio.create_task(in_thread(change_and_hold, changed, may_commit))
    await asyncio.to_thread(changed.wait, 60)
    await execute("SELECT set_config('lock_timeout', '60s', false)")
    reading = asyncio.create_task(lock_and_write((LOCK, "a"), (READ, "a")))
    await asyncio.sleep(0.1)
    assert not reading.done()
    return reading, holder, may_commit


async def test_write_sees_what_the_lock_waited_for() -> None:
    reading, holder, may_commit = await read_while_held()
    may_commit.set()
    await holder
    assert await reading == [(7, 1)]


async def test_both_are_one_transaction() -> None:
    insert = "INSERT INTO locked VALUES ('b', 1), (%s, 2) RETURNING id"
    with pytest.raises(psycopg.errors.CheckViolation):
        await lock_and_write((insert, "c"), (WRITE, "b"))
    assert await execute("SELECT id FROM locked") == [("a",)]


async def test_failed_lock_prevents_the_write() -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await lock_and_write(("SELECT 1 / %s::integer", "0"), (POINT, "a"))
    assert await execute("SELECT id FROM pointing") == []


async def test_commit_that_fails_is_raised() -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as caught:
        await lock_and_write((LOCK, "a"), (POINT, "b"))
    assert caught.value.diag.constraint_name == "pointing_id_fkey"
    assert await lock_and_write((LOCK, "a"), (POINT, "a")) == [("a",)]


async def test_connection_is_used_again_after_errors() -> None:
    ((backend,),) = await execute("SELECT pg_backend_pid()")
    for lock, write in (("SELECT 1 / %s::integer", READ), (LOCK, WRITE), ("not SQL %s", READ)):
        with pytest.raises(psycopg.Error):
            await lock_and_write((lock, "0" if lock != LOCK else "a"), (write, "a"))
    assert await lock_and_write((LOCK, "a"), (READ, "a")) == [(1, 0)]
    assert await execute("SELECT pg_backend_pid()") == [(backend,)]


async def test_plans_are_prepared_once_and_discarded() -> None:
    for _ in range(3):
        assert await lock_and_write((LOCK, "a"), (READ, "a")) == [(1, 0)]
        with suppress(psycopg.ProgrammingError):  # it returns no rows
            await execute("DISCARD PLANS")
    counts = "SELECT generic_plans > 0, custom_plans FROM pg_prepared_statements WHERE name LIKE %s"
    assert await execute(counts, "lock_and_write%") == [(True, 0)] * 2


async def test_cancelled_wait_frees_the_lock() -> None:
    reading, holder, may_commit = await read_while_held()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    may_commit.set()
    await holder
    assert await lock_and_write((LOCK, "a"), (READ, "a")) == [(7, 1)]


async def test_connection_that_dies_in_the_wait_fails_only_its_statement() -> None:
    ((backend,),) = await execute("SELECT pg_backend_pid()")
    reading, holder, may_commit = await read_while_held()

    def terminate() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend])

    await in_thread(terminate)
    with pytest.raises(psycopg.OperationalError):
        await reading
    may_commit.set()
    await holder
    assert await lock_and_write((LOCK, "a"), (READ, "a")) == [(7, 1)]
