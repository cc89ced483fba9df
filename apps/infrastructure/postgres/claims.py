"""Claim rows of a table that several workers process.

Workers are not told which row to process; each takes the next one that no other worker holds.
`lock_first` holds a row for the current transaction. `claim_statement` holds it until a time, for
work that must not keep a transaction open: the row of a worker that died is due again by itself.
"""

from typing import TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def lock_first(rows: QuerySet[M], order_by: str) -> M | None:
    """Lock and return the first row that no other transaction has locked, None if there is none."""
    return rows.select_for_update(of=("self",), skip_locked=True).order_by(order_by).first()


def claim_statement(
    *, table: str, join: str = "", active: str, group: str, due: str, order_by: str, assign: str
) -> str:
    """Return the SQL that claims the first due row, for `claim_next`.

    `active` is the condition for rows that are claimed now, `due` the one for rows that may be
    claimed. Rows of a `group` column value with too many active claims are skipped; two concurrent
    claims may exceed that number by one. `assign` sets further columns beside `claimed_until`.
    """
    return f"""
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


def claim_next(statement: str, *, max_per_group: int, seconds: float, **values: str) -> str | None:
    """Claim a row for some seconds. Return its id, None if nothing is due."""
    parameters: dict[str, str | float] = {
        "max_per_group": max_per_group,
        "seconds": seconds,
        **values,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        row = cursor.fetchone()
    return None if row is None else str(row[0])
