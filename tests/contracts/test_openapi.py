"""The OpenAPI document describes the API as it is served."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from apps.api_kit.openapi import parse_codes
from apps.chat import openapi as chat
from config.api import api
from config.openapi import API_PREFIX, document, operations, schema_name

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
ROUTES_WITHOUT_OPERATION = {"/api/v1/"}
"""Always 404: ninja's root."""


def routes() -> set[tuple[str, str]]:
    """Every path under the prefix with its methods, from the URL resolver."""
    found = set()
    for path, pattern in _patterns(get_resolver().url_patterns, "/"):
        if path.startswith(API_PREFIX) and path not in ROUTES_WITHOUT_OPERATION:
            found |= {(path, method) for method in _methods(pattern.callback)}
    return found


def _patterns(patterns: Any, before: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        path = before + re.sub(r"<(?:\w+:)?(\w+)>", _camel, str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, path)
        else:
            yield path, pattern


def _camel(found: re.Match[str]) -> str:
    first, *rest = found[1].split("_")
    return "{" + first + "".join(word.capitalize() for word in rest) + "}"


def _methods(view: Any) -> set[str]:
    """The methods of a DRF view class or of ninja's operations; GET for any other view."""
    if hasattr(view, "view_class"):
        return set(view.view_class.http_method_names)
    path_view = inspect.getclosurevars(view).nonlocals.get("self")
    if path_view is None:
        return {"get"}
    return {method.lower() for each in path_view.operations for method in each.methods}


def test_documented_operations_are_the_routes() -> None:
    assert {(path, method) for path, method, _ in operations()} == routes()


def test_routes_include_both_frameworks() -> None:
    assert {
        ("/api/v1/chatbots/{chatbotId}/chat", "post"),
        ("/api/v1/leads/{leadId}", "patch"),
        ("/api/v1/openapi.json", "get"),
    } <= routes()


def test_document_is_valid_openapi() -> None:
    validate(document())


def test_operation_ids_are_unique() -> None:
    names = [operation["operationId"] for *_, operation in operations()]
    assert [name for name in names if names.count(name) > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z][A-Za-z]+", name)] == []


def test_operations_have_description_and_response_schema() -> None:
    incomplete = [
        operation["operationId"]
        for *_, operation in operations()
        if not operation.get("description")
        or not all(_has_schema(r) for s, r in operation["responses"].items() if s < "3")
    ]
    assert incomplete == []


def _has_schema(response: Any) -> bool:
    return all(media.get("schema") for media in response.get("content", {"": {}}).values())


def test_error_codes_are_those_of_the_docs() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `([A-Z_]+)` \|", (DOCS / "api.md").read_text(), re.MULTILINE)
    responses = document()["components"]["responses"]
    documented = {
        (status, code)
        for *_, operation in operations()
        for status, response in operation["responses"].items()
        if status >= "4"
        for code in parse_codes(responses[response["$ref"].rpartition("/")[2]])
    }
    # No operation returns these: they mean that there is no operation.
    undocumented = {("405", "METHOD_NOT_ALLOWED"), ("404", "NOT_FOUND")}
    assert documented == set(rows) - undocumented


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_path_parameters_match_the_path(path: str) -> None:
    for method, operation in document()["paths"][path].items():
        assert method in ("get", "post", "put", "patch", "delete")
        named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_examples_match_their_schemas() -> None:
    resource = Resource.from_contents(document(), default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", resource)
    checked = 0
    for schema, example in _examples(document(), "#"):
        reference = {"$ref": f"urn:document{schema}"}
        Draft202012Validator(reference, registry=registry).validate(example)
        checked += 1
    assert checked > 50


def _examples(node: Any, at: str) -> Iterator[tuple[str, Any]]:
    """Each example of the document with the path of its schema."""
    if isinstance(node, list):
        for number, inner in enumerate(node):
            yield from _examples(inner, f"{at}/{number}")
    if not isinstance(node, dict):
        return
    schema = f"{at}/schema" if "schema" in node else at
    if "example" in node:
        yield schema, node["example"]
    examples = node.get("examples")
    if isinstance(examples, dict):
        yield from ((schema, each["value"]) for each in examples.values() if "value" in each)
    elif isinstance(examples, list):
        yield from ((schema, each) for each in examples)
    for name, inner in node.items():
        if name not in ("example", "examples"):
            yield from _examples(inner, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")


def test_document_is_served_with_etag() -> None:
    first = Client().get("/api/v1/openapi.json")
    again = Client().get("/api/v1/openapi.json", headers={"If-None-Match": first["ETag"]})
    other = Client().get("/api/v1/openapi.json", headers={"If-None-Match": '"other"'})
    assert json.loads(first.content) == document()
    assert (first["Content-Type"], again.status_code, again.content) == (
        "application/json",
        304,
        b"",
    )
    assert (other.status_code, again["ETag"]) == (200, first["ETag"])


def test_schema_names_are_unique() -> None:
    own = api.get_openapi_schema()["components"]["schemas"]
    names = [schema_name(name) for name in [*own, *chat.schemas()]]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_streams_are_documented_without_a_type() -> None:
    """A reader takes the schema of a stream for that of one of its events, which is no string."""
    streams = [
        response["content"]["text/event-stream"]["schema"]
        for path in document()["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for response in operation.get("responses", {}).values()
        if "text/event-stream" in response.get("content", {})
    ]
    assert len(streams) > 1
    assert [schema for schema in streams if "type" in schema] == []
