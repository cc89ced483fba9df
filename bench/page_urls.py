"""Every address that a browser can open, found from the URL configuration: a new page is walked
by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from apps.workspaces.models import Workspace

EXCLUDED_PREFIXES = ("admin/", "api/", "healthz", "readyz", "csp-reports")
"""Staff's pages and what programs ask: not the owner's dashboard."""


@dataclass(frozen=True, slots=True)
class PageUrl:
    """Where a page is: what it is called, and its path."""

    name: str
    path: str


def page_urls(values: Mapping[str, str]) -> list[PageUrl]:
    """Every address outside the admin and the API, with what it names filled in from `values`.

    One whose names are not all among the values is left out, unless it is below a workspace.
    """
    return list(_walk(get_resolver(), "", frozenset(), values))


def _walk(
    resolver: URLResolver, prefix: str, names: frozenset[str], values: Mapping[str, str]
) -> Iterator[PageUrl]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if route.startswith(EXCLUDED_PREFIXES):
            continue
        wanted = names | pattern.pattern.converters.keys()
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, route, wanted, values)
        elif "(?P" not in route and (wanted <= values.keys() or "slug" in wanted):
            with suppress(MissingRowError):
                yield PageUrl(pattern.name or route, "/" + _filled(pattern, prefix, values))


def _filled(pattern: URLPattern, prefix: str, values: Mapping[str, str]) -> str:
    return _NAMED.sub(lambda named: values[named[1]], f"{prefix}{pattern.pattern}")


_NAMED = re.compile(r"<(?:\w+:)?(\w+)>")


class MissingRowError(Exception):
    """The workspace has nothing that an address could name: there is no such page of it yet."""


class UrlArguments(dict[str, str]):
    """What addresses below a workspace name, each the newest row of the workspace.

    `chatbot_id` is the id of a Chatbot, and `key_id` that of an ApiKey: the table whose name ends
    so. What is given goes before what would be found.
    """

    def __init__(self, workspace: Workspace, **given: str) -> None:
        month = f"{timezone.now():%Y-%m}"
        super().__init__({"slug": workspace.slug, "month": month, **given})
        self._workspace = workspace

    def __missing__(self, name: str) -> str:
        model = _model_of(name)
        found = model._default_manager.filter(workspace=self._workspace)
        row = found.order_by("-created_at", "-id").first()
        if row is None:
            raise MissingRowError(f"The workspace has no {model.__name__}, which {name} names.")
        self[name] = str(row.pk)
        return self[name]


def _model_of(name: str) -> type[Model]:
    stem = name.removesuffix("_id").replace("_", "")
    models = [
        model
        for model in apps.get_models()
        if model.__module__.startswith("apps.") and model.__name__.lower().endswith(stem)
    ]
    assert models, f"No table is named like {name}: say what it is."
    return min(models, key=lambda model: len(model.__name__))
