"""Every later migration can be taken back and applied again, with rows present."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AlterModelOptions

from tests.factories import Team, give, make_chatbot
from tests.turns.new_turns import completed, opened

OURS = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}
LATER = sorted(
    key
    for key in MigrationLoader(None).disk_migrations
    if key[0] in OURS and not key[1].startswith("0001")
)


SHAPE = """
SELECT table_name, column_name || ' ' || data_type FROM information_schema.columns
WHERE table_schema = 'public'
UNION ALL SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT name, description FROM chatbots_languagemodel
UNION ALL SELECT 'plan', slug FROM credits_plan
UNION ALL SELECT 'group', name FROM auth_group
"""


def shape() -> set[tuple[str, ...]]:
    """What migrations make, as the database has it: tables, rules, and the rows that they bring."""
    with connection.cursor() as cursor:
        cursor.execute(SHAPE)
        return set(cursor.fetchall())


def move(*targets: tuple[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    MigrationExecutor(connection).migrate(list(targets))


@pytest.mark.parametrize(("app", "name"), LATER)
def test_migration_can_be_taken_back(team: Team, app: str, name: str) -> None:
    give(team.workspace, 10)
    completed(opened(make_chatbot(team.workspace), credits=1), "Hi")
    migration = MigrationExecutor(connection).loader.disk_migrations[app, name]
    (parent,) = [key[1] for key in migration.dependencies if key[0] == app]
    in_words_alone = all(isinstance(each, AlterModelOptions) for each in migration.operations)
    before = shape()
    move((app, parent))
    assert in_words_alone or shape() != before
    # What other apps built upon it went with it, and comes back with it.
    move(*MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert shape() == before
