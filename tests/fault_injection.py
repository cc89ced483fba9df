"""Faults of the database for tests, made in the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from apps.workspaces.models import Workspace


@contextmanager
def reject_inserts(table: str, workspace: Workspace, *, sqlstate: str = "P0001") -> Iterator[None]:
    """Meanwhile PostgreSQL refuses this workspace's new rows with an error of this state."""
    name = f"fault_{workspace.id}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.workspace_id = '{workspace.id}' THEN"
            f" RAISE EXCEPTION 'secret cause' USING ERRCODE = '{sqlstate}'; END IF;"
            " RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION {name}() CASCADE")
