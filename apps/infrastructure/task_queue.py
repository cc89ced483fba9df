"""Send Celery tasks from a thread of their own.

Whoever sends a task never waits for the broker, which may be away or frozen: the threads that serve
requests would all end up waiting. What is sent meanwhile is kept in memory, up to MAX_QUEUED, until
the broker takes it. Tasks can be derived again from PostgreSQL by the schedule, or be requested
again by a person, so one that is lost with its process is only late.
"""

import atexit
import contextlib
import os
import queue
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS

log = get_logger(__name__)

MAX_QUEUED = 1000
_SOCKET_SECONDS = 1.0
_RETRY_SECONDS = (0.2, 1.0)
_FLUSH_AT_EXIT_SECONDS = 3.0
_BROKER_ERRORS = (OperationalError, *REDIS_ERRORS)


def send_task_on_commit(task: str, *arguments: Any) -> None:
    """Send a task, by its name, once the running transaction has committed; now if there is none.

    Does not wait for the broker.
    """
    transaction.on_commit(lambda: send_task(task, *arguments), robust=True)


def send_task(task: str, *arguments: Any, expires: float | None = None) -> None:
    """Send a task, by its name, without waiting for the broker.

    `expires`: seconds after which no worker runs it. A task without arguments that is waiting to
    be sent already is not sent twice.
    """
    _publisher.put(_Task(task, arguments, expires))


def flush(*, seconds: float) -> bool:
    """Wait until everything is sent, so many seconds at most; return whether it is."""
    return _publisher.flush(seconds)


@dataclass(frozen=True)
class _Task:
    name: str
    arguments: tuple[Any, ...]
    expires: float | None
    queued_at: float = field(default_factory=time.monotonic, compare=False)


class _Publisher:
    """The queue and its thread, which starts with the first task."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew, as in a forked process, which has no thread."""
        self._tasks: queue.Queue[_Task] = queue.Queue(MAX_QUEUED)
        self._pending: set[str] = set()  # names of tasks without arguments
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, task: _Task) -> None:
        if not task.arguments:
            if task.name in self._pending:
                return
            self._pending.add(task.name)
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self._pending.discard(task.name)
            log.error("task_dropped", task=task.name)
            return
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tasks", daemon=True)
                self._thread.start()

    def flush(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._tasks.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)
        return not self._tasks.unfinished_tasks

    def _run(self) -> None:
        connection = None
        while True:
            task, failures = self._tasks.get(), 0
            # Whoever asks for it from here on may have work that this one does not see.
            self._pending.discard(task.name)
            while connection is None or not _send(task, connection):
                if connection is not None:
                    _close(connection)
                    failures += 1
                    if failures == 1:
                        log.warning("task_delayed", task=task.name)
                    time.sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311
                connection = _connect()
            self._tasks.task_done()


def _connect() -> Any:
    timeouts = {"socket_connect_timeout": _SOCKET_SECONDS, "socket_timeout": _SOCKET_SECONDS}
    return current_app.connection_for_write(transport_options=timeouts)


def _close(connection: Any) -> None:
    """Close a connection that has failed; it may fail once more."""
    with contextlib.suppress(*_BROKER_ERRORS):
        connection.release()


def _send(task: _Task, connection: Any) -> bool:
    """Send one task. False if the broker is away: it must be sent again."""
    expires = None if task.expires is None else task.expires - (time.monotonic() - task.queued_at)
    if expires is not None and expires <= 0:
        return True
    try:
        current_app.send_task(
            task.name,
            args=list(task.arguments),
            connection=connection,
            expires=expires,
            retry=False,
            ignore_result=True,
        )
    except _BROKER_ERRORS:
        return False
    except Exception:
        log.exception("task_not_sent", task=task.name)
    return True


_publisher = _Publisher()
os.register_at_fork(after_in_child=_publisher.reset)
atexit.register(flush, seconds=_FLUSH_AT_EXIT_SECONDS)
