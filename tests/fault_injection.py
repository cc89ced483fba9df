"""Database errors for tests, raised by PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from django.db import connection

from apps.workspaces.models import Workspace


def reject_inserts(
    table: str, workspace: Workspace, *, sqlstate: str = "P0001"
) -> AbstractContextManager[None]:
    """PostgreSQL rejects new rows of this workspace in `table` with an error of this state."""
    return _reject("INSERT", "NEW", table, workspace, sqlstate)


def reject_deletes(table: str, workspace: Workspace) -> AbstractContextManager[None]:
    """PostgreSQL deletes no row of this workspace in `table`."""
    return _reject("DELETE", "OLD", table, workspace, "P0001")


@contextmanager
def _reject(
    operation: str, row: str, table: str, workspace: Workspace, sqlstate: str
) -> Iterator[None]:
    function = f"fault_{workspace.id}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {row}.workspace_id = '{workspace.id}' THEN"
            f" RAISE EXCEPTION 'secret cause' USING ERRCODE = '{sqlstate}'; END IF;"
            f" RETURN {row}; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER {function} BEFORE {operation} ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION {function}() CASCADE")
