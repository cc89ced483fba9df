"""Find reverse relations that an app uses although their model belongs to an app above it.

A foreign key adds an attribute and a lookup name to the model that it points to. Python imports do
not show who uses them, so import contracts cannot forbid a lower app to depend on a higher one.
"""

from __future__ import annotations

import ast
import configparser
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.db.models import Model

ROOT = Path(__file__).resolve().parents[2]
MANAGER_METHODS = {
    *("add", "aggregate", "all", "annotate", "bulk_create", "count", "create", "delete"),
    *("earliest", "exclude", "exists", "filter", "first", "get", "get_or_create", "last"),
    *("latest", "order_by", "remove", "select_for_update", "select_related", "set", "update"),
    *("update_or_create", "values", "values_list"),
}

RELATION_LOADERS = {"Count", "Prefetch", "prefetch_related", "select_related"}


def layers() -> list[str]:
    """The apps, from the lowest to the highest."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    return contracts["importlinter:contract:apps"]["layers"].split()[::-1]


def relations_from_above(app: str) -> set[str]:
    """Names of reverse relations to models of this or a lower app, from apps above it.

    Names that this or a lower app also gives to a relation of its own are left out.
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


def _app_of(model: type[Model]) -> str:
    return model._meta.app_config.name.removeprefix("apps.")


def _is_above(order: list[str], app: str, other: str) -> bool:
    return order.index(app) > order.index(other)
