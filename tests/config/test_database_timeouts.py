"""How long a statement and an idle transaction may last, in web processes and elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connection

from apps.infrastructure.postgres.pool import connection_parameters

SHOW = """
import sys
{setup}
from django.db import connection
with connection.cursor() as cursor:
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        cursor.execute(f"SHOW {{name}}")
        print(cursor.fetchone()[0])
"""


@pytest.mark.parametrize(
    ("setup", "statement"),
    [("import config.asgi", "30s"), ("import django; django.setup()", "0")],
    ids=["web", "command"],
)
def test_statements_end_in_web_processes_only(setup: str, statement: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DB_")}
    shown = subprocess.run(
        [sys.executable, "-c", SHOW.format(setup=setup)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == [statement, "10min"]


def test_idle_transaction_ends_with_its_locks(committed: None) -> None:
    parameters = connection_parameters()
    options = f"{parameters['options']} -c idle_in_transaction_session_timeout=100"
    idle = psycopg.connect(**{**parameters, "options": options, "autocommit": False})
    idle.execute("SELECT pg_advisory_xact_lock(20261128)")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(20261128), pg_advisory_unlock(20261128)")
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        idle.execute("SELECT 1")
    idle.close()


def test_pool_keeps_the_timeouts_of_djangos_connections() -> None:
    assert "statement_timeout=" in connection_parameters()["options"]
    assert "idle_in_transaction_session_timeout=" in connection_parameters()["options"]
