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

from apps.infrastructure.postgres import threads
from apps.infrastructure.postgres.threads import close_thread_pool, in_thread
from apps.workspaces.models import Member, Role
from apps.workspaces.services import add_member
from tests.factories import Team

pytestmark = pytest.mark.usefixtures("committed")

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def end(pids: Iterable[int]) -> list[bool]:
    """End these backends, as a restarted server would; says of each whether it is gone."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(unnest(%s::int[]), 5000)", [list(pids)])
            return [row[0] for row in cursor.fetchall()]
    finally:
        connections.close_all()


async def backends() -> dict[int, int]:
    """The backend that each of the kept threads speaks to."""
    barrier = threading.Barrier(settings.DB_THREADS)

    def meet() -> tuple[int, int]:
        barrier.wait(timeout=30)
        return threading.get_ident(), backend()

    return dict(await asyncio.gather(*(in_thread(meet) for _ in range(settings.DB_THREADS))))


async def test_result_and_arguments_pass_through() -> None:
    def joined(first: str, *, second: str) -> str:
        return f"{first} {second} {threading.current_thread().name[:2]}"

    assert await in_thread(joined, "a", second="b") == "a b db"


async def test_each_thread_keeps_its_connection() -> None:
    first = await backends()
    assert len(set(first.values())) == settings.DB_THREADS
    assert await backends() == first


async def test_dead_connections_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    before = await backends()
    assert await asyncio.to_thread(end, before.values()) == [True] * settings.DB_THREADS
    monkeypatch.setattr(threads, "_IDLE_SECONDS", -1.0)
    after = await backends()
    assert set(after) == set(before)
    assert set(after.values()) & set(before.values()) == set()


async def test_connection_that_dies_in_use_is_replaced_at_the_next_call() -> None:
    def die() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    for _ in range(settings.DB_THREADS):
        with pytest.raises(OperationalError):
            await in_thread(die)
    assert len(await backends()) == settings.DB_THREADS


async def test_exception_comes_back_and_leaves_a_usable_thread(live_team: Team) -> None:
    def wrong() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    def refused() -> None:
        Member.objects.create(workspace=live_team.workspace, user=live_team.charlie, role="king")

    for _ in range(settings.DB_THREADS):
        with pytest.raises(ProgrammingError, match="nowhere"):
            await in_thread(wrong)
        with pytest.raises(IntegrityError, match="role_known"):
            await in_thread(refused)
    assert len(await backends()) == settings.DB_THREADS


async def test_refused_transaction_leaves_nothing(live_team: Team) -> None:
    def half() -> None:
        with transaction.atomic():
            add_member(workspace=live_team.workspace, user=live_team.charlie, role=Role.VIEWER)
            raise ValueError("changed my mind")

    with pytest.raises(ValueError, match="changed my mind"):
        await in_thread(half)
    people = Member.objects.filter(workspace=live_team.workspace, user=live_team.charlie)
    assert await in_thread(people.count) == 0


async def test_function_that_has_begun_ends_though_its_waiter_leaves() -> None:
    begun, may_end, ended = (threading.Event() for _ in range(3))

    def slow() -> None:
        begun.set()
        may_end.wait(timeout=30)
        ended.set()

    waiter = asyncio.create_task(in_thread(slow))
    await asyncio.to_thread(begun.wait, 30)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    may_end.set()
    assert await asyncio.to_thread(ended.wait, 30) is True


async def test_function_sees_the_callers_context() -> None:
    WHO.set("alice")
    assert await in_thread(WHO.get) == "alice"


async def test_closed_threads_give_their_connections_back_and_open_anew() -> None:
    before = await backends()
    await asyncio.to_thread(close_thread_pool)
    assert [t.name for t in threading.enumerate() if t.name.startswith("db_")] == []
    after = await backends()
    assert (len(before), len(after)) == (settings.DB_THREADS, settings.DB_THREADS)
