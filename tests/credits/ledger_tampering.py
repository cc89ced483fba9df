"""Change the ledger past its triggers, as a database superuser can."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction


def execute_without_triggers(statement: str, *parameters: Any) -> None:
    """Run a statement with triggers switched off."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET LOCAL session_replication_role = origin")


_REWRITE_HASHES = """
DO $$
DECLARE entry credits_ledgerentry; before text := '';
BEGIN
  FOR entry IN SELECT * FROM credits_ledgerentry WHERE workspace_id = '{workspace}'
    ORDER BY sequence LOOP
    before := credits_entry_hash(entry, before);
    UPDATE credits_ledgerentry SET hash = before WHERE id = entry.id;
  END LOOP;
END $$
"""


def rewrite_hashes(workspace_id: str) -> None:
    """Recompute all hashes of a ledger from its current rows."""
    execute_without_triggers(_REWRITE_HASHES.format(workspace=workspace_id))
