"""Claim rows of a table that several workers process.

Workers are not told which row to process; each takes the next one that no other worker holds.
`lock_first` holds a row for the current transaction. `claim_next` holds it until a time, for work
that must not keep a transaction open: the row of a worker that died is due again by itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import TypeVar

from django.db import connection, connections, transaction
from django.db.models import Model, QuerySet

from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE

log = get_logger(__name__)

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class ClaimStatement:
    """SQL that claims a row of a table and returns its id."""

    table: str
    sql: str


def lock_first(rows: QuerySet[M], *order_by: str) -> M | None:
    """Lock and return the first row that no other transaction has locked, None if there is none."""
    return rows.select_for_update(of=("self",), skip_locked=True).order_by(*order_by).first()


def claim_statement(
    *, table: str, join: str = "", active: str, group: str, due: str, order_by: str, assign: str
) -> ClaimStatement:
    """Return the statement that claims the first due row, for `claim_next`.

    `active` is the condition for rows that are claimed now, `due` the one for rows that may be
    claimed. Rows of a `group` column value with `max_per_group` active claims are skipped. `assign`
    sets further columns beside `claimed_until`.
    """
    sql = f"""
WITH busy AS (
  SELECT {group} FROM {table} WHERE {active}
  GROUP BY {group} HAVING count(*) >= %(max_per_group)s
), due AS (
  SELECT {table}.id FROM {table} {join}
  WHERE {due} AND {table}.{group} NOT IN (SELECT {group} FROM busy)
  ORDER BY {order_by} LIMIT 1
  FOR UPDATE OF {table} SKIP LOCKED
)
UPDATE {table}
SET {assign}, claimed_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM due WHERE {table}.id = due.id
RETURNING {table}.id
"""  # noqa: S608 - constants of the caller
    return ClaimStatement(table, sql)


@transaction.atomic
def claim_next(
    statement: ClaimStatement, /, *, seconds: float, **values: str | float
) -> str | None:
    """Claim a row for some seconds. Return its id, None if nothing is due.

    Claims of a table are made one after the other, and each sees those before it: otherwise
    workers that claim together would exceed the limits that the statement keeps.
    """
    with connection.cursor() as cursor:
        # A statement of its own: one that waits for a lock would not see what was committed since.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [statement.table])
        cursor.execute(statement.sql, {"seconds": seconds, **values})
        row = cursor.fetchone()
    return None if row is None else str(row[0])


@contextmanager
def renewed(renew: Callable[[], object], *, seconds: float) -> Iterator[None]:
    """Call `renew` three times in the duration of a claim, in a thread, while the work goes on.

    So a claim can be short, and the row of a worker that died is due again soon, although the work
    may take long.
    """
    ended = Event()

    def keep_claimed() -> None:
        try:
            while not ended.wait(seconds / 3):
                try:
                    renew()
                except DATABASE_UNAVAILABLE as error:
                    log.warning("claim_not_renewed", reason=type(error).__name__)
        finally:
            connections.close_all()

    thread = Thread(target=keep_claimed, name="claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
