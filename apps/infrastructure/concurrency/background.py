"""Background tasks: asyncio tasks that outlive the request that started them."""

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_tasks: set[asyncio.Task[Any]] = set()


def start_background_task(
    coroutine: Coroutine[Any, Any, T], *, context: contextvars.Context | None = None
) -> asyncio.Task[T]:
    """Run the coroutine in a task of its own, and keep a reference to it until it ends.

    The task does not inherit the caller's context: Django binds a request's thread and its log
    fields to it, and they end with the request. An exception that nobody awaits is logged by
    asyncio once the task is garbage.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(coroutine, context=context or contextvars.Context())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task
