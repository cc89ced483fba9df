"""Find the URLs of all pages in the URL configuration, so that new pages are included."""

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
"""URLs that are not pages for the members of a workspace. Nor are those of a regular expression,
which catch mistyped addresses of the API."""


@dataclass(frozen=True, slots=True)
class PageUrl:
    """Name and path of a page."""

    name: str
    path: str


def page_urls(values: Mapping[str, str]) -> list[PageUrl]:
    """Return every URL outside the admin and the API, with its parameters from `values`.

    URLs with other parameters are left out, unless they are below a workspace.
    """
    return list(_walk(get_resolver(), "", frozenset(), values))


def _walk(
    resolver: URLResolver, prefix: str, names: frozenset[str], values: Mapping[str, str]
) -> Iterator[PageUrl]:
    for pattern in resolver.url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if route.startswith(EXCLUDED_PREFIXES):
            continue
        parameters = names | pattern.pattern.converters.keys()
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, route, parameters, values)
        elif "^" not in route and (parameters <= values.keys() or "slug" in parameters):
            with suppress(MissingRowError):
                yield PageUrl(pattern.name or route, "/" + _filled(pattern, prefix, values))


def _filled(pattern: URLPattern, prefix: str, values: Mapping[str, str]) -> str:
    return _NAMED.sub(lambda named: values[named[1]], f"{prefix}{pattern.pattern}")


_NAMED = re.compile(r"<(?:\w+:)?(\w+)>")


class MissingRowError(Exception):
    """The workspace has no row for a URL parameter, so the page does not exist yet."""


class UrlArguments(dict[str, str]):
    """Values of URL parameters below a workspace: by default, ids of its newest rows.

    The model is the one whose name ends like the parameter: `chatbot_id` is the id of a Chatbot
    and `key_id` that of an ApiKey. Arguments in `given` take precedence.
    """

    def __init__(self, workspace: Workspace, **given: str) -> None:
        month = f"{timezone.now():%Y-%m}"
        super().__init__({"slug": workspace.slug, "month": month, **given})
        self._workspace = workspace

    def __missing__(self, name: str) -> str:
        model = _model_of(name)
        rows = model._default_manager.filter(workspace=self._workspace)
        has_time = any(field.name == "created_at" for field in model._meta.concrete_fields)
        row = rows.order_by(*["-created_at"] * has_time, "-pk").first()
        if row is None:
            raise MissingRowError(f"The workspace has no {model.__name__} for {name}.")
        self[name] = str(row.pk)
        return self[name]


def _model_of(name: str) -> type[Model]:
    stem = name.removesuffix("_id").replace("_", "")
    models = [
        model
        for model in apps.get_models()
        if model.__module__.startswith("apps.") and model.__name__.lower().endswith(stem)
    ]
    assert models, f"No model has a name for {name}; pass its value."
    return min(models, key=lambda model: len(model.__name__))
