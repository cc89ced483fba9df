"""Database errors for tests, raised by PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from apps.workspaces.models import Workspace


@contextmanager
def reject_inserts(table: str, workspace: Workspace, *, sqlstate: str = "P0001") -> Iterator[None]:
    """PostgreSQL rejects new rows of this workspace in `table` with an error of this state."""
    function = f"fault_{workspace.id}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.workspace_id = '{workspace.id}' THEN"
            f" RAISE EXCEPTION 'secret cause' USING ERRCODE = '{sqlstate}'; END IF;"
            " RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER {function} BEFORE INSERT ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION {function}() CASCADE")
