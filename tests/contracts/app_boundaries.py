"""Find dependencies between apps that Python imports do not show.

Import contracts cannot forbid them: reverse relations of models in higher apps, SQL that writes
tables of other apps, and names of other apps' Celery tasks.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.apps import apps
from django.db.models import Model

from config import celery_app

ROOT = Path(__file__).resolve().parents[2]
MANAGER_METHODS = {
    *("add", "aggregate", "all", "annotate", "bulk_create", "count", "create", "delete"),
    *("earliest", "exclude", "exists", "filter", "first", "get", "get_or_create", "last"),
    *("latest", "order_by", "remove", "select_for_update", "select_related", "set", "update"),
    *("update_or_create", "values", "values_list"),
}
RELATION_LOADERS = {"Count", "Prefetch", "prefetch_related", "select_related"}
WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|COPY)\s+([a-z_]+)\b")
ALSO_WRITTEN_BY = {"conversations_turn": {"turns"}, "conversations_turnsweep": {"turns"}}
"""`turns` has no tables of its own: the table of turns is next to the conversations and messages
that it references, and only `turns` opens, updates and settles turns."""


def sources(root: Path) -> Iterator[tuple[str, Path]]:
    """The Python files of the apps below `root`, each with the name of its app."""
    for path in sorted((root / "apps").glob("*/**/*.py")):
        yield path.relative_to(root / "apps").parts[0], path


def layers() -> list[str]:
    """The apps, from the lowest to the highest."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    return contracts["importlinter:contract:apps"]["layers"].split()[::-1]


@cache
def relations_from_above(app: str) -> set[str]:
    """Names of reverse relations to models of this or a lower app, from apps above it.

    A foreign key adds an attribute and a lookup name to the model that it points to. Names that
    this or a lower app also gives to a relation of its own are left out.
    """
    order = layers()
    own: set[str] = set()
    from_above: set[str] = set()
    for model in apps.get_models():
        if _app_of(model) not in order or _is_above(order, _app_of(model), app):
            continue
        own.update(field.name for field in model._meta.fields if field.is_relation)
        for relation in model._meta.related_objects:
            if _app_of(relation.related_model) in order:
                is_above = _is_above(order, _app_of(relation.related_model), app)
                names = from_above if is_above else own
                names.update({relation.name, relation.get_accessor_name() or relation.name})
    return from_above - own


def relation_uses(source: str, names: set[str]) -> Iterator[str]:
    """The names that are used as a manager (`row.name.filter()`) or in a lookup (`name__id`)."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Attribute(attr=name), attr=method):
                if name in names and method in MANAGER_METHODS:
                    yield name
            case ast.Call(func=ast.Attribute(attr=caller) | ast.Name(id=caller), args=arguments):
                if caller in RELATION_LOADERS:
                    yield from names & {ast.unparse(each).strip("'") for each in arguments}
            case ast.keyword(arg=str(lookup)) | ast.Constant(value=str(lookup)):
                # The last part may be a column of the same name.
                yield from names & set(lookup.removeprefix("-").split("__")[:-1])


@cache
def table_owners() -> dict[str, str]:
    """The app of each table."""
    return {
        model._meta.db_table: model._meta.app_label
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_config.name.startswith("apps.")
    }


def foreign_tables(app: str, source: str) -> Iterator[str]:
    """The tables of other apps that SQL in the module's string literals writes."""
    for text in _string_literals(source):
        for table in WRITES.findall(text):
            if app not in {table_owners().get(table, app)} | ALSO_WRITTEN_BY.get(table, set()):
                yield table


@cache
def task_owners() -> dict[str, str]:
    """The app of each Celery task."""
    celery_app.loader.import_default_modules()
    return {
        name: task.__module__.split(".")[1]
        for name, task in celery_app.tasks.items()
        if task.__module__.startswith("apps.")
    }


def foreign_tasks(app: str, source: str) -> Iterator[str]:
    """The names of other apps' Celery tasks in the module's string literals."""
    for text in _string_literals(source):
        if task_owners().get(text, app) != app:
            yield text


def _string_literals(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _app_of(model: type[Model]) -> str:
    return model._meta.app_config.name.removeprefix("apps.")


def _is_above(order: list[str], app: str, other: str) -> bool:
    return order.index(app) > order.index(other)
