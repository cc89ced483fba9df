"""Every operation of the API, found from its routes, and how to call each as a caller would.

Nothing here names an operation. What a path or a body must hold is found in a world (`world.py`)
by its name; a name that is not known there fails with a sentence that says what to add.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

from apps.api_kit.callers import Scope
from apps.chat.openai.endpoint import UnknownPathView
from apps.chat.urls import urlpatterns as chat_patterns
from config.api import api
from config.urls import urlpatterns

ROOT = "/api/v1/"
EDGES_WITHOUT_A_CALLER = (UnknownPathView,)
"""Views that answer everybody alike, because they serve nothing."""


@dataclass(frozen=True)
class Operation:
    """A method at an address. `body`: the JSON schema of what it takes, if it takes something."""

    method: str
    path: str
    scopes: frozenset[str]
    body: Mapping[str, Any] | None
    is_ninja: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """The names in its path, in order."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def is_openai(self) -> bool:
        """Whether it speaks OpenAI's wire, whose errors have another shape."""
        return self.path.startswith(f"{ROOT}openai/")

    def at(self, values: Mapping[str, str]) -> str:
        """The address with these values in its path."""
        return self.path.format(**values)


def operations() -> list[Operation]:
    """All of them, in the order of their addresses."""
    return sorted([*_of_ninja(), *_of_drf()], key=lambda one: (one.path, one.method))


def _of_ninja() -> list[Operation]:
    return [
        Operation(
            method,
            ROOT + path.lstrip("/"),
            frozenset(scope for auth in cast(Any, one.auth_callbacks) for scope in auth.scopes),
            _body_of(one.models),
            is_ninja=True,
        )
        for _, router in api._routers
        for path, view in router.path_operations.items()
        for one in view.operations
        for method in one.methods
    ]


def _body_of(models: list[Any]) -> Mapping[str, Any] | None:
    for model in models:
        if model.__ninja_param_source__ == "body":
            whole: dict[str, Any] = model.model_json_schema(by_alias=True)
            (inner,) = whole["properties"].values()
            return {"$defs": whole.get("$defs", {}), **inner}
    return None


def _of_drf() -> list[Operation]:
    found = []
    for pattern in chat_patterns:
        view = cast(Any, pattern.callback).view_class
        if view in EDGES_WITHOUT_A_CALLER:
            continue
        path = ROOT + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        found += [
            Operation(
                method.upper(),
                path,
                frozenset({Scope.CHAT}),
                DRF_BODIES.get(view.__name__),
                is_ninja=False,
            )
            for method in view.http_method_names
            if hasattr(view, method)
        ]
    return found


# A serializer has no JSON schema: what these views want at the least is written down.
TEXT = {"type": "string"}
DRF_BODIES: Mapping[str, Mapping[str, Any]] = {
    "ChatView": {"properties": {"message": TEXT}, "required": ["message"]},
    "CompletionsView": {
        "properties": {"model": TEXT, "messages": {"type": "array"}},
        "required": ["model", "messages"],
    },
}


def addresses() -> set[str]:
    """Every address under the API's root that Django's resolver knows."""
    return {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", ROOT + str(inner.pattern).lstrip("/"))
        for outer in urlpatterns
        if isinstance(outer, URLResolver)
        and isinstance(outer.pattern, RoutePattern)
        and f"/{outer.pattern}" == ROOT
        for inner in outer.url_patterns
        if isinstance(inner, URLPattern) and str(inner.pattern)
    }
