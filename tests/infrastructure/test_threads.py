from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterable

import pytest
from django.conf import settings
from django.db import (
    IntegrityError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)

from apps.infrastructure.postgres.threads import close_thread_pool, in_thread
from apps.workspaces.models import Member, Role
from apps.workspaces.services import add_member
from tests.factories import Team

pytestmark = pytest.mark.usefixtures("committed")

USER: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


def backend_pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def terminate_backends(pids: Iterable[int]) -> list[bool]:
    """End these backends, as a restart of the server would; whether each is gone."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(unnest(%s::int[]), 5000)", [list(pids)])
            return [row[0] for row in cursor.fetchall()]
    finally:
        connections.close_all()


async def backends_by_thread() -> dict[int, int]:
    """The backend that each thread of the pool is connected to."""
    barrier = threading.Barrier(settings.DB_THREADS)

    def wait_for_all() -> tuple[int, int]:
        barrier.wait(timeout=30)
        return threading.get_ident(), backend_pid()

    return dict(
        await asyncio.gather(*(in_thread(wait_for_all) for _ in range(settings.DB_THREADS)))
    )


async def test_arguments_and_result_are_passed() -> None:
    def join(first: str, *, second: str) -> str:
        return f"{first} {second} {threading.current_thread().name[:2]}"

    assert await in_thread(join, "a", second="b") == "a b db"


async def test_each_thread_reuses_its_connection() -> None:
    first = await backends_by_thread()
    assert len(set(first.values())) == settings.DB_THREADS
    assert await backends_by_thread() == first


async def test_dead_connections_are_replaced() -> None:
    before = await backends_by_thread()
    assert (
        await asyncio.to_thread(terminate_backends, before.values()) == [True] * settings.DB_THREADS
    )
    await asyncio.sleep(1.1)  # connections are checked when they were idle for a second
    after = await backends_by_thread()
    assert set(after) == set(before)
    assert set(after.values()) & set(before.values()) == set()


async def test_connection_that_dies_in_use_is_replaced() -> None:
    def die() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    for _ in range(settings.DB_THREADS):
        with pytest.raises(OperationalError):
            await in_thread(die)
    assert len(await backends_by_thread()) == settings.DB_THREADS


async def test_exception_is_raised_and_the_thread_stays_usable(live_team: Team) -> None:
    def fail_in_sql() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    def break_constraint() -> None:
        Member.objects.create(workspace=live_team.workspace, user=live_team.charlie, role="king")

    for _ in range(settings.DB_THREADS):
        with pytest.raises(ProgrammingError, match="nowhere"):
            await in_thread(fail_in_sql)
        with pytest.raises(IntegrityError, match="role_known"):
            await in_thread(break_constraint)
    assert len(await backends_by_thread()) == settings.DB_THREADS


async def test_failed_transaction_is_rolled_back(live_team: Team) -> None:
    def fail_midway() -> None:
        with transaction.atomic():
            add_member(workspace=live_team.workspace, user=live_team.charlie, role=Role.VIEWER)
            raise ValueError("changed my mind")

    with pytest.raises(ValueError, match="changed my mind"):
        await in_thread(fail_midway)
    members = Member.objects.filter(workspace=live_team.workspace, user=live_team.charlie)
    assert await in_thread(members.count) == 0


async def test_started_function_ends_despite_cancellation() -> None:
    started, may_end, ended = (threading.Event() for _ in range(3))

    def slow() -> None:
        started.set()
        may_end.wait(timeout=30)
        ended.set()

    caller = asyncio.create_task(in_thread(slow))
    await asyncio.to_thread(started.wait, 30)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_end.set()
    assert await asyncio.to_thread(ended.wait, 30) is True


async def test_function_runs_in_the_callers_context() -> None:
    USER.set("alice")
    assert await in_thread(USER.get) == "alice"


async def test_closed_thread_pool_is_restarted_on_use() -> None:
    before = await backends_by_thread()
    await asyncio.to_thread(close_thread_pool)
    assert [t.name for t in threading.enumerate() if t.name.startswith("db_")] == []
    after = await backends_by_thread()
    assert (len(before), len(after)) == (settings.DB_THREADS, settings.DB_THREADS)
