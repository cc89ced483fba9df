"""The API reference page: the OpenAPI document rendered as HTML."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from apps.api_kit.openapi import Schema
from config.openapi import document, operations

_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body or a parameter. `location`: path, query, header or body."""

    name: str
    location: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Response:
    """A response of an operation, with an example of its body if it has one."""

    status: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    fields: list[Field]
    request: str
    responses: list[Response]
    errors: list[Response]


_TITLES = {"openai": "OpenAI"}


@require_safe
@gzip_page  # the same for everybody, so that its length reveals nothing
def reference_page(request: HttpRequest) -> HttpResponse:
    """The page with every operation, grouped by tag."""
    paragraphs = document()["info"]["description"].split("\n\n")
    description = [render_inline_code(paragraph) for paragraph in paragraphs]
    context = {"groups": operations_by_tag(), "description": description}
    return render(request, "reference/page.html", context)


@functools.cache
def operations_by_tag() -> list[tuple[str, list[Operation]]]:
    """The operations by tag, sorted by the tag's name."""
    found: dict[str, list[Operation]] = {}
    for path, method, operation in operations():
        found.setdefault(operation["tags"][0], []).append(_build_operation(path, method, operation))
    return [(_TITLES.get(tag, tag), shown) for tag, shown in sorted(found.items())]


def _build_operation(path: str, method: str, operation: Schema) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = body.get("schema", {})
    answers = [_build_response(status, what) for status, what in operation["responses"].items()]
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=render_inline_code(operation["description"]),
        fields=[*_parameters(operation), *_body_fields(schema)],
        request=_to_json(build_example(schema)) if schema else "",
        responses=[answer for answer in answers if answer.status < "4"],
        errors=[answer for answer in answers if answer.status >= "4"],
    )


def _parameters(operation: Schema) -> Iterator[Field]:
    for each in operation["parameters"]:
        text = render_inline_code(each.get("description") or each["schema"].get("description", ""))
        is_required = each.get("required", False)
        yield Field(each["name"], each["in"], describe_type(each["schema"]), is_required, text)


def _body_fields(schema: Schema) -> Iterator[Field]:
    schema = resolve_reference(schema)
    for name, inner in schema.get("properties", {}).items():
        is_required = name in schema.get("required", [])
        text = render_inline_code(inner.get("description", ""))
        yield Field(name, "body", describe_type(inner), is_required, text)


def _build_response(status: str, response: Schema) -> Response:
    response = resolve_reference(response)
    description, media = render_inline_code(response["description"]), response.get("content", {})
    if status >= "4" or "application/json" not in media:
        return Response(status, description, media.get("text/event-stream", {}).get("example", ""))
    example = _to_json(build_example(media["application/json"]["schema"]))
    return Response(status, description, example)


def render_inline_code(text: str) -> str:
    """A description as HTML, with text between backticks as code."""
    parts = text.split("`")
    forms = ("{}", "<code>{}</code>")
    return format_html_join(
        "", "{}", ((format_html(forms[n % 2], p),) for n, p in enumerate(parts))
    )


def resolve_reference(node: Schema) -> Schema:
    """The target of a `$ref`; any other node unchanged."""
    while "$ref" in node:
        _, *steps = node["$ref"].split("/")
        node = functools.reduce(lambda inner, step: inner[step], steps, document())
    return node


def describe_type(schema: Schema) -> str:
    """A short description of a schema's type."""
    schema = resolve_reference(schema)
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds:
        return " | ".join(dict.fromkeys(describe_type(kind) for kind in kinds))
    named = schema.get("type", "any")
    if named == "array":
        return f"array of {describe_type(schema.get('items', {}))}"
    return " | ".join(named) if isinstance(named, list) else str(named)


def build_example(schema: Schema, depth: int = 0) -> Any:
    """An example value of a schema: its own example, or one built from its types."""
    schema = resolve_reference(schema)
    for known in ("example", "const", "default"):
        if known in schema:
            return schema[known]
    for several in ("examples", "enum"):
        if schema.get(several):
            return schema[several][0]
    kinds = schema.get("anyOf") or schema.get("oneOf")
    return build_example(kinds[0], depth) if kinds else _example_of_type(schema, depth)


def _example_of_type(schema: Schema, depth: int) -> Any:
    named = schema.get("type")
    match named[0] if isinstance(named, list) else named:
        case "object" if depth < _MAX_DEPTH:
            fields = schema.get("properties", {})
            return {name: build_example(inner, depth + 1) for name, inner in fields.items()}
        case "object":
            return {}
        case "array":
            return [build_example(schema.get("items", {}), depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return schema.get("format", "string")


def _to_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
