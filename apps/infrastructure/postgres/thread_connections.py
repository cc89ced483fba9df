"""A pool of connections for threads, in the place of psycopg's under Django's backend.

A connection is opened by the thread that needs it, so a failure is known at once.
"""

import threading
from collections.abc import Callable

import psycopg
from psycopg.pq import TransactionStatus

from apps.infrastructure.postgres.connections import Connection
from apps.infrastructure.postgres.errors import DatabaseUnavailable


class ThreadConnections:
    """At most `max_size` connections, the one used last first. The interface is Django's."""

    close_returns = False  # psycopg: `close` closes

    def __init__(
        self, connect: Callable[[], Connection], *, max_size: int, wait_seconds: float
    ) -> None:
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(max_size)
        self._idle: list[Connection] = []
        self._closed = False

    def open(self) -> None:
        """Do nothing: connections are opened when needed."""

    def getconn(self) -> Connection:
        """Lend a connection. Raises DatabaseUnavailable, or psycopg's error of connecting."""
        if not self._free.acquire(timeout=self._wait_seconds):
            raise DatabaseUnavailable("no connection became free")
        try:
            lent = self._take() or self._connect()
        except BaseException:
            self._free.release()
            raise
        lent._pool = self
        return lent

    def putconn(self, lent: Connection) -> None:
        """Take a connection back; closed if it is not ready for the next."""
        lent._pool = None
        if self._closed or lent.pgconn.transaction_status != TransactionStatus.IDLE:
            lent.close()
        else:
            self._idle.append(lent)
        self._free.release()

    def close(self) -> None:
        """Close the idle connections, and the others when they come back."""
        self._closed = True
        while idle := self._pop():
            idle.close()

    def _take(self) -> Connection | None:
        while idle := self._pop():
            if not idle.age.is_over and _is_alive(idle):
                return idle
            idle.close()
        return None

    def _pop(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


def _is_alive(idle: Connection) -> bool:
    try:
        idle.execute("")
    except psycopg.Error:
        return False
    return True
