"""Every operation of the API, found from the URL routes, with its path, scopes and body.

Path parameters and required body fields are filled by name, from `tenant_rows.py`; a name that is
missing there fails with a message that says what to add.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

from apps.api_kit.callers import Scope
from apps.chat.urls import urlpatterns as chat_patterns
from config.api import api
from config.urls import urlpatterns

ROOT = "/api/v1/"


@dataclass(frozen=True)
class Operation:
    """A method of a path. `body`: the JSON schema of its body, if it has one."""

    method: str
    path: str
    scopes: frozenset[str]
    body: Mapping[str, Any] | None
    is_ninja: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """The names of its path parameters, in order."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def is_openai(self) -> bool:
        """Whether it is OpenAI-compatible: its errors have another format."""
        return self.path.startswith(f"{ROOT}openai/")

    def url_path(self, values: Mapping[str, str]) -> str:
        """The path with these values for its parameters."""
        return self.path.format(**values)


def operations() -> list[Operation]:
    """All operations, sorted by path."""
    return sorted(
        [*_ninja_operations(), *_drf_operations()], key=lambda one: (one.path, one.method)
    )


def _ninja_operations() -> list[Operation]:
    return [
        Operation(
            method,
            ROOT + path.lstrip("/"),
            frozenset(scope for auth in cast(Any, one.auth_callbacks) for scope in auth.scopes),
            _body_schema(one.models),
            is_ninja=True,
        )
        for _, router in api._routers
        for path, view in router.path_operations.items()
        for one in view.operations
        for method in one.methods
    ]


def _body_schema(models: list[Any]) -> Mapping[str, Any] | None:
    for model in models:
        if model.__ninja_param_source__ == "body":
            schema: dict[str, Any] = model.model_json_schema(by_alias=True)
            (inner,) = schema["properties"].values()
            return {"$defs": schema.get("$defs", {}), **inner}
    return None


def _drf_operations() -> list[Operation]:
    found = []
    for pattern in chat_patterns:
        view = cast(Any, pattern.callback).view_class
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


# DRF serializers have no JSON schema: these are the required fields of their views.
TEXT = {"type": "string"}
DRF_BODIES: Mapping[str, Mapping[str, Any]] = {
    "ChatView": {"properties": {"message": TEXT}, "required": ["message"]},
    "CompletionsView": {
        "properties": {"model": TEXT, "messages": {"type": "array"}},
        "required": ["model", "messages"],
    },
}


def routes() -> set[str]:
    """Every path below the API root in Django's URL resolver."""
    return {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", ROOT + str(inner.pattern).lstrip("/"))
        for outer in urlpatterns
        if isinstance(outer, URLResolver)
        and isinstance(outer.pattern, RoutePattern)
        and f"/{outer.pattern}" == ROOT
        for inner in outer.url_patterns
        if isinstance(inner, URLPattern) and str(inner.pattern)
    }
