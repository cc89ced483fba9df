"""What only somebody with the database in his hands can do."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction


def tamper(statement: str, *parameters: Any) -> None:
    """Run a statement while no trigger looks."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = origin")
