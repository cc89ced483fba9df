"""Fail at once while PostgreSQL is away, and notice quickly that it is back.

After one failed attempt to connect, no other is made by those who need a connection: each would
only wait for the same outcome. Instead one thread of the process tries again a few times a second,
however long it takes. Connections that are open are used meanwhile, for they may be healthy.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DatabaseUnavailable

log = get_logger(__name__)

PROBE_SECONDS = (0.15, 0.45)
"""The least and the longest pause between two attempts, so that processes do not try in step."""
CONNECT_SECONDS = 2
"""For a server that accepts a connection and then says nothing; psycopg's minimum."""


class Circuit:
    """Open while PostgreSQL is away. One for each process, shared by its threads and loops.

    `generation`: connections of an earlier one are closed instead of used.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew, as in a forked process, which has no probing thread."""
        self._lock = threading.Lock()
        self.is_open = False
        self.generation = 0

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Enclose an attempt to connect. Raises DatabaseUnavailable instead while it is open."""
        if self.is_open:
            raise DatabaseUnavailable("PostgreSQL is away")
        try:
            yield
        except psycopg.OperationalError as error:
            self.open(error)
            raise

    def open(self, error: Exception) -> None:
        """Refuse attempts to connect until PostgreSQL answers again."""
        with self._lock:
            if self.is_open:
                return
            self.is_open = True
        log.warning("database_unavailable", reason=type(error).__name__)
        threading.Thread(target=self._probe, name="postgres-probe", daemon=True).start()

    def discard_connections(self) -> None:
        """Have every connection that is open now closed instead of used again."""
        with self._lock:
            self.generation += 1

    def _probe(self) -> None:
        error: Exception | None = DatabaseUnavailable()
        while error is not None:
            time.sleep(random.uniform(*PROBE_SECONDS))  # noqa: S311
            error = probe()
        self.is_open = False
        log.warning("database_available")


circuit = Circuit()
os.register_at_fork(after_in_child=circuit.reset)


def probe() -> psycopg.Error | None:
    """Connect and disconnect; return the error, None if PostgreSQL answers."""
    try:
        psycopg.connect(**connection_parameters()).close()
    except psycopg.Error as error:
        return error
    return None


def connection_parameters() -> dict[str, Any]:
    """Django's parameters for psycopg, without those of its cursors."""
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return {**parameters, "autocommit": True}
