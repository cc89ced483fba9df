"""Call the ORM from async code in a pool of threads with persistent database connections.

Django's own `sync_to_async` starts a thread for each request under ASGI and opens a connection in
it, which is too slow for the few short queries of a turn.
"""

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import connections

from apps.infrastructure.postgres.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")

_CHECK_SECONDS = 1.0
WAIT_SECONDS = 5.0
"""How long a call waits for a free thread."""
_thread = threading.local()


@functools.cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=settings.DB_THREADS, thread_name_prefix="db")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that uses the ORM in a thread of the pool, and wait for its result.

    Once started, the function runs to its end even if the caller is cancelled. Raises
    DatabaseUnavailable if no thread becomes free to start it.
    """
    call = functools.partial(_run, functools.partial(function, *args, **kwargs))
    started = _executor().submit(contextvars.copy_context().run, call)
    refused = False

    def refuse() -> None:
        nonlocal refused
        refused = started.cancel()  # True only if no thread has begun it

    timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, refuse)
    try:
        return await asyncio.wrap_future(started)
    except asyncio.CancelledError:
        if refused:
            raise DatabaseUnavailable("no thread became free") from None
        raise
    finally:
        timer.cancel()


def _run(call: Callable[[], T]) -> T:
    # By the time of the last check: a call that did not use the database proves nothing of its
    # connection.
    if time.monotonic() - getattr(_thread, "checked_at", 0.0) > _CHECK_SECONDS:
        _close_dead_connections()
        _thread.checked_at = time.monotonic()
    try:
        return call()
    finally:
        for connection in connections.all(initialized_only=True):
            if connection.errors_occurred:
                connection.close()


def _close_dead_connections() -> None:
    """Close connections that a restart of the server may have cut."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.is_usable():
            connection.close()


def close_thread_pool() -> None:
    """Stop the threads and close their connections, at shutdown."""
    executor = _executor()
    barrier = threading.Barrier(executor._max_workers)

    def close() -> None:
        connections.close_all()
        barrier.wait(timeout=5)  # blocks this thread, so that each task runs in another one

    for _ in range(executor._max_workers):
        executor.submit(close)
    executor.shutdown(wait=True)
    _executor.cache_clear()
