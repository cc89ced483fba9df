"""Send large values to PostgreSQL as they are.

Django's cursor writes values into the statement, in hexadecimal: a file of 20 MiB takes 160 MiB of
memory for a moment, and 40 MiB this way.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from psycopg import Cursor


def execute_with_binary(sql: str, values: Mapping[str, Any]) -> None:
    """Execute a statement in the running transaction. `%(name)b` stands for bytes."""
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(sql.encode(), values)
