"""The initial migrations make the schema they replaced, and every migration can be reversed.

`schema_reference.txt` describes the database made by the 58 migrations that the initial set
replaced. It is written by `describe_schema` and `describe_seed_rows` and does not change with
later migrations. Only a new squash replaces it, and the names in `INITIAL`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from apps.chatbots.models import LanguageModel
from apps.credits.models import Account, Plan
from tests.contracts.schema_description import describe_schema, describe_seed_rows
from tests.factories import Team, grant_credits, make_chatbot
from tests.turns.turn_factory import complete_turn, make_running_turn

INITIAL = {
    "accounts": "0002_seed_staff_groups",
    "adjustments": "0001_initial",
    "api_keys": "0001_initial",
    "audit": "0001_initial",
    "chatbots": "0002_seed_sandbox_models",
    "conversations": "0001_initial",
    "credits": "0002_seed_free_plan",
    "leads": "0001_initial",
    "webhooks": "0001_initial",
    "workspaces": "0001_initial",
}
"""The last migration of the initial set of each app."""
REFERENCE = Path(__file__).with_name("schema_reference.txt")
OURS = [config.label for config in apps.get_app_configs() if config.name.startswith("apps.")]


@pytest.fixture
def empty_database(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[BaseDatabaseWrapper]:
    """A connection, registered as `empty`, to a new database."""
    name = f"{connection.settings_dict['NAME']}_empty"
    drop = f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(drop)
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        connections["empty"] = empty = connection.copy("empty")
        empty.settings_dict = deepcopy(connection.settings_dict) | {"NAME": name, "OPTIONS": {}}
        try:
            yield empty
        finally:
            empty.close()
            del connections["empty"]
            cursor.execute(drop)


def test_initial_migrations_make_the_reference_schema(empty_database: BaseDatabaseWrapper) -> None:
    MigrationExecutor(empty_database).migrate(list(INITIAL.items()))
    with empty_database.cursor() as cursor:
        schema = describe_schema(cursor, INITIAL) + describe_seed_rows(cursor)
    assert "\n".join(schema).splitlines() == REFERENCE.read_text().splitlines()


def describe() -> list[str]:
    """The schema of our apps and the rows of migrations, without the append-only price history."""
    with connection.cursor() as cursor:
        rows = [row for row in describe_seed_rows(cursor) if not row.startswith("price ")]
        return describe_schema(cursor, OURS) + rows


def migrate(*targets: tuple[str, str | None]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    MigrationExecutor(connection).migrate(list(targets))


def our_migrations() -> list[tuple[str, str]]:
    """Every migration of our apps, in an order in which they can be applied."""
    graph = MigrationExecutor(connection).loader.graph
    ordered: dict[tuple[str, str], None] = {}
    for leaf in graph.leaf_nodes():
        ordered |= dict.fromkeys(graph.forwards_plan(leaf))
    return [key for key in ordered if key[0] in OURS]


@pytest.mark.timeout(600)  # half a minute of processor: Django builds the models anew each time
def test_each_migration_can_be_reversed_and_applied_again(team: Team) -> None:
    grant_credits(team.workspace, 10)
    complete_turn(make_running_turn(make_chatbot(team.workspace), credits=1), "Hi")
    applied = our_migrations()
    levels = [describe()]
    for number in reversed(range(len(applied))):
        app, _ = applied[number]
        earlier = [name for label, name in applied[:number] if label == app]
        migrate((app, earlier[-1] if earlier else None))
        levels.append(describe())
        assert levels[-1] != levels[-2]
    assert levels[-1] == ["extension plpgsql"]
    for key in applied:
        levels.pop()
        migrate(key)
        assert describe() == levels[-1]
    migrate(*MigrationExecutor(connection).loader.graph.leaf_nodes())


def test_reversed_seed_migrations_keep_rows_in_use(team: Team) -> None:
    echo, free = LanguageModel.objects.get(name="sandbox/echo"), Plan.objects.get(slug="free")
    make_chatbot(team.workspace, echo)
    Account.objects.update_or_create(workspace=team.workspace, defaults={"plan": free})
    before = describe()
    migrate(("chatbots", "0001_initial"), ("credits", "0001_initial"))
    assert list(LanguageModel.objects.filter(name__startswith="sandbox/")) == [echo]
    assert Plan.objects.filter(slug="free").values_list("pk", flat=True).get() == free.pk
    migrate(*MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert describe() == before
