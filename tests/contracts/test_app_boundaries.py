"""Apps depend on each other only through imports, which import contracts restrict."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.contracts.app_boundaries import (
    ROOT,
    foreign_tables,
    foreign_tasks,
    relation_uses,
    relations_from_above,
    sources,
)


def foreign_relations(app: str, source: str) -> Iterator[str]:
    return relation_uses(source, relations_from_above(app))


@pytest.mark.parametrize("find", [foreign_relations, foreign_tables, foreign_tasks])
def test_no_app_depends_on_another_implicitly(find: Callable[[str, str], Iterator[str]]) -> None:
    """Not by a reverse relation of a higher app, a write to a foreign table or a foreign task.

    Instead the higher app provides a query or receives a signal, the owner of a table or a task
    has a service. Migrations may write any table.
    """
    found = {
        (str(path.relative_to(ROOT)), name)
        for app, path in sources(ROOT)
        if find is not foreign_tables or "migrations" not in path.parts
        for name in find(app, path.read_text())
    }
    assert found == set()


def test_every_app_is_searched() -> None:
    assert {"core", "turns", "dashboard", "demo"} <= {app for app, _ in sources(ROOT)}


@pytest.mark.parametrize(
    "source",
    [
        "conversation.leads.update(conversation=None)",
        "Conversation.objects.filter(leads__isnull=False)",
        "Message.objects.values('conversation__leads__id')",
        "Conversation.objects.prefetch_related('leads')",
        "Conversation.objects.annotate(Count('leads'))",
    ],
)
def test_reverse_relation_of_a_higher_app_is_found(source: str) -> None:
    assert list(foreign_relations("conversations", source)) == ["leads"]
    assert list(foreign_relations("leads", source)) == []


@pytest.mark.parametrize(
    ("table", "owners"),
    [("credits_account", ["credits"]), ("conversations_turn", ["conversations", "turns"])],
)
def test_write_to_a_foreign_table_is_found(table: str, owners: list[str]) -> None:
    source = f'SQL = "WITH x AS (UPDATE {table} SET held = 0) SELECT 1"'
    assert list(foreign_tables("chat", source)) == [table]
    assert [list(foreign_tables(owner, source)) for owner in owners] == [[]] * len(owners)


@pytest.mark.parametrize(
    ("task", "owner"),
    [
        ("apps.turns.tasks.sweep_turns", "turns"),
        ("apps.webhooks.tasks.deliver_due", "webhooks"),
    ],
)
def test_foreign_task_name_is_found(task: str, owner: str) -> None:
    source = f'current_app.send_task("{task}")'
    assert list(foreign_tasks("chat", source)) == [task]
    assert list(foreign_tasks(owner, source)) == []
