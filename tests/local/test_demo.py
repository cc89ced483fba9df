"""Tests of `make demo`."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from local.commands.demo import refuse_replaced_migrations
from local.errors import LocalError


def database_url() -> str:
    database = settings.DATABASES["default"] | {"NAME": connection.settings_dict["NAME"]}
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)


def test_demo_accepts_a_database_with_current_migrations(committed: None) -> None:
    refuse_replaced_migrations(database_url())


def test_demo_accepts_an_empty_database(committed: None) -> None:
    refuse_replaced_migrations(database_url().rpartition("/")[0] + "/template1")


def test_demo_rejects_a_database_with_replaced_migrations(committed: None) -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_applied("workspaces", "0001_first")
    try:
        with pytest.raises(LocalError, match="make reset"):
            refuse_replaced_migrations(database_url())
    finally:
        recorder.record_unapplied("workspaces", "0001_first")
