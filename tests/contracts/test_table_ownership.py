"""Tables are written only by the app that owns them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

ROOT = Path(__file__).resolve().parents[2]
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|COPY)\s+([a-z_]+)\b")
ALSO_WRITTEN_BY = {"conversations_turn": {"turns"}}
"""`turns` has no tables of its own: a turn lies beside the conversations and messages that it
points at, and only `turns` opens, keeps alive and settles it."""


def owners() -> dict[str, set[str]]:
    """The apps that may write each table of ours."""
    tables = {
        model._meta.db_table: {model._meta.app_label}
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_config.name.startswith("apps.")
    }
    return {table: labels | ALSO_WRITTEN_BY.get(table, set()) for table, labels in tables.items()}


def written_tables(source: str) -> Iterator[str]:
    """The tables that SQL in a module's string literals writes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from WRITES.findall(node.value)


def foreign_writes(root: Path) -> list[str]:
    found = []
    for path in sorted((root / "apps").rglob("*.py")):
        app = path.relative_to(root / "apps").parts[0]
        if "migrations" not in path.parts:
            found += [
                f"{path.relative_to(root)}: {table}"
                for table in written_tables(path.read_text())
                if app not in owners().get(table, {app})
            ]
    return found


def test_sql_of_an_app_writes_only_its_own_tables() -> None:
    assert foreign_writes(ROOT) == []


def test_a_foreign_write_is_found(tmp_path: Path) -> None:
    module = tmp_path / "apps" / "chat" / "views.py"
    module.parent.mkdir(parents=True)
    module.write_text('SQL = "WITH x AS (UPDATE credits_account SET held = 0) SELECT 1"')
    assert foreign_writes(tmp_path) == ["apps/chat/views.py: credits_account"]
