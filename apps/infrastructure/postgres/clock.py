"""The one clock: PostgreSQL's, which every process and machine shares.

Times in the database come from it (`db_default=Now()`, `statement_timestamp()`), and so does what
is compared with them: `Now()` in a query, `database_now` between queries. A machine whose clock is
wrong would otherwise accept an expired key, or take another worker's claim.
"""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the time by PostgreSQL's clock. One query."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        row: tuple[datetime] = cursor.fetchone()
    return row[0]
