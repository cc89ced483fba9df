"""Do things at once, or one while another is not committed yet, each in its own session."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection, connections, transaction

from apps.infrastructure.postgres.pool import close_pool, execute

IS_BLOCKING = """
SELECT EXISTS (SELECT FROM pg_locks
               WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))
"""


def at_once(work: Callable[[int], Any], *, sessions: int = 12) -> Counter[str]:
    """Call `work` with 0, 1, … at the same time. Counts `done` and the names of errors."""
    barrier = Barrier(sessions)

    def run(number: int) -> str:
        barrier.wait(timeout=60)
        try:
            work(number)
        except Exception as error:
            return type(error).__name__
        else:
            return "done"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(sessions) as threads:
        return Counter(threads.map(run, range(sessions)))


def after(
    step: Callable[[], Any], waiting: Callable[[], Any], *, then: Callable[[], Any] = lambda: None
) -> Any:
    """Do the step, call `waiting` in another session, and commit once that waits for it.

    `then` is done before the commit: it takes what the other session must not have locked.
    Returns what `waiting` returned or raised. Fails if it ended without waiting.
    """

    def run() -> Any:
        try:
            return waiting()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            step()
            result = threads.submit(run)
            _wait_until_blocked(result)
            then()
        return result.result(timeout=60)


def in_new_loop(call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """The result of async code that uses the connection pool, whose locks may take longer here."""

    async def run() -> Any:
        try:
            await execute("SELECT set_config('lock_timeout', '60s', false)")
            return await call()
        finally:
            await close_pool()

    return asyncio.run(run())


def _wait_until_blocked(result: Future[Any]) -> None:
    """Wait until a session waits for the current one."""
    deadline = time.monotonic() + 60
    while True:
        with connection.cursor() as cursor:
            cursor.execute(IS_BLOCKING)
            if cursor.fetchone()[0]:
                return
        assert not result.done(), f"it did not wait: {result.result()}"
        assert time.monotonic() < deadline, "it neither waits nor ends"
        time.sleep(0.01)
