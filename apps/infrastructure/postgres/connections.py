"""psycopg's connections, with a limit for a server that has gone silent.

A server that is frozen, or whose machine is gone, closes nothing: whoever waits for it would wait
for ever. So a thread looks at the statements that have had no answer for SILENT_SECONDS. If the
server does not answer a new connection either, those statements are ended by shutting down their
sockets, and they fail as if the server had closed them. A statement that is only slow goes on.
"""

import os
import random
import socket
import threading
import time
from collections.abc import Iterable
from typing import Any, Self

import psycopg
from psycopg.abc import RV, PQGen

from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.circuit import circuit, probe

log = get_logger(__name__)

SILENT_SECONDS = 2.0
_CHECK_SECONDS = 0.25
_POLL_SECONDS = 0.1  # psycopg's own
_LIFETIME_SECONDS = 3600.0


class _Watchdog:
    """Knows which connections wait for an answer, and since when."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._waiting: dict[int, tuple[psycopg.BaseConnection[Any], float]] = {}
        self._answered_at = 0.0
        self._thread: threading.Thread | None = None

    def add(self, waiting: psycopg.BaseConnection[Any]) -> None:
        self._waiting[id(waiting)] = (waiting, time.monotonic())
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="postgres-watch", daemon=True)
            self._thread.start()

    def remove(self, waiting: psycopg.BaseConnection[Any]) -> None:
        self._waiting.pop(id(waiting), None)

    def _watch(self) -> None:
        while True:
            time.sleep(_CHECK_SECONDS)
            if self._overdue() and not self._answers():
                circuit.discard_connections()
                _shut_down(self._overdue())

    def _overdue(self) -> list[psycopg.BaseConnection[Any]]:
        limit = time.monotonic() - SILENT_SECONDS
        return [waiting for waiting, since in list(self._waiting.values()) if since < limit]

    def _answers(self) -> bool:
        if circuit.is_open:
            return False
        if time.monotonic() - self._answered_at < SILENT_SECONDS:
            return True
        error = probe()
        # A server that refuses with a message of its own is not silent.
        if error is None or "FATAL" in str(error):
            self._answered_at = time.monotonic()
            return True
        circuit.open(error)
        return False


_watchdog = _Watchdog()
os.register_at_fork(after_in_child=_watchdog.reset)


def _shut_down(connections: Iterable[psycopg.BaseConnection[Any]]) -> None:
    count = 0
    for waiting in connections:
        try:
            with socket.socket(fileno=os.dup(waiting.pgconn.socket)) as copy:
                copy.shutdown(socket.SHUT_RDWR)
            count += 1
        except (psycopg.Error, OSError):
            continue  # it has ended by itself
    log.warning("database_silent", statements=count)


class _Age:
    """When a connection must be replaced: at the end of its life, or when it is not trusted."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.ends_at = time.monotonic() + _LIFETIME_SECONDS * random.uniform(0.95, 1)  # noqa: S311

    @property
    def is_over(self) -> bool:
        return self.generation != circuit.generation or time.monotonic() > self.ends_at


class Connection(psycopg.Connection[Any]):
    """A connection of a thread. `age.is_over`: close it instead of using it again."""

    age: _Age
    _pool: Any = None

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect. Raises DatabaseUnavailable at once while PostgreSQL is known to be away."""
        age = _Age(circuit.generation)
        with circuit.connecting():
            connection = super().connect(conninfo, **kwargs)
        connection.age = age
        return connection

    def wait(
        self, gen: PQGen[RV], interval: float = _POLL_SECONDS, timeout: float | None = None
    ) -> RV:
        _watchdog.add(self)
        try:
            return super().wait(gen, interval, timeout)
        finally:
            _watchdog.remove(self)


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """The same for an event loop."""

    age: _Age
    used_at = 0.0

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connect. Raises DatabaseUnavailable at once while PostgreSQL is known to be away."""
        age = _Age(circuit.generation)
        with circuit.connecting():
            connection = await super().connect(conninfo, **kwargs)
        connection.age = age
        return connection

    async def wait(
        self, gen: PQGen[RV], interval: float = _POLL_SECONDS, timeout: float | None = None
    ) -> RV:
        _watchdog.add(self)
        try:
            return await super().wait(gen, interval, timeout)
        finally:
            _watchdog.remove(self)
