"""Every later migration can be taken back and applied again, with rows present."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from tests.conversations.opening import completed, opened
from tests.factories import Team, give, make_chatbot

OURS = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}
LATER = sorted(
    key
    for key in MigrationLoader(None).disk_migrations
    if key[0] in OURS and not key[1].startswith("0001")
)


def shape() -> set[tuple[str, ...]]:
    """Our constraints, triggers and language models, as the database has them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace UNION ALL"
            " SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
            " UNION ALL SELECT name, description FROM chatbots_languagemodel"
        )
        return set(cursor.fetchall())


def move(*targets: tuple[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    MigrationExecutor(connection).migrate(list(targets))


@pytest.mark.parametrize(("app", "name"), LATER)
def test_migration_can_be_taken_back(team: Team, app: str, name: str) -> None:
    give(team.workspace, 10)
    completed(opened(make_chatbot(team.workspace), credits=1), "Hi")
    (parent,) = [
        key[1]
        for key in MigrationExecutor(connection).loader.disk_migrations[app, name].dependencies
        if key[0] == app
    ]
    before = shape()
    move((app, parent))
    assert shape() < before
    # What other apps built upon it went with it, and comes back with it.
    move(*MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert shape() == before
