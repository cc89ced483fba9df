"""The API's reference page: the document, set for people by a template of our own."""

from __future__ import annotations

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

_MOST_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body or one parameter. `place`: path, query, header or body."""

    name: str
    place: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One status of an operation, with the shape of its body if it has one."""

    status: str
    description: str
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    fields: list[Field]
    request: str
    answers: list[Answer]
    errors: list[Answer]


_TITLES = {"openai": "OpenAI"}


@require_safe
@gzip_page  # the same for everybody: nothing in it to be guessed from its length
def page(request: HttpRequest) -> HttpResponse:
    """Every operation, by its tag."""
    about = [marked(each) for each in document()["info"]["description"].split("\n\n")]
    return render(request, "reference/page.html", {"groups": groups(), "about": about})


@functools.cache
def groups() -> list[tuple[str, list[Operation]]]:
    """The operations under their tags, in the order of the tags' names."""
    found: dict[str, list[Operation]] = {}
    for path, method, operation in operations():
        found.setdefault(operation["tags"][0], []).append(_shown(path, method, operation))
    return [(_TITLES.get(tag, tag), shown) for tag, shown in sorted(found.items())]


def _shown(path: str, method: str, operation: Schema) -> Operation:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = body.get("schema", {})
    answers = [_answer(status, what) for status, what in operation["responses"].items()]
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=marked(operation["description"]),
        fields=[*_parameters(operation), *_body_fields(schema)],
        request=_as_json(sample(schema)) if schema else "",
        answers=[answer for answer in answers if answer.status < "4"],
        errors=[answer for answer in answers if answer.status >= "4"],
    )


def _parameters(operation: Schema) -> Iterator[Field]:
    for each in operation["parameters"]:
        text = marked(each.get("description") or each["schema"].get("description", ""))
        yield Field(
            each["name"], each["in"], type_of(each["schema"]), each.get("required", False), text
        )


def _body_fields(schema: Schema) -> Iterator[Field]:
    whole = resolved(schema)
    for name, inner in whole.get("properties", {}).items():
        required = name in whole.get("required", [])
        yield Field(name, "body", type_of(inner), required, marked(inner.get("description", "")))


def _answer(status: str, response: Schema) -> Answer:
    whole = resolved(response)
    media = whole.get("content", {})
    if status >= "4" or "application/json" not in media:
        stream = media.get("text/event-stream", {})
        return Answer(status, marked(whole["description"]), stream.get("example", ""))
    example = _as_json(sample(media["application/json"]["schema"]))
    return Answer(status, marked(whole["description"]), example)


def marked(text: str) -> str:
    """A description as HTML: what stands between backticks is code."""
    parts = text.split("`")
    forms = ("{}", "<code>{}</code>")
    return format_html_join(
        "", "{}", ((format_html(forms[n % 2], p),) for n, p in enumerate(parts))
    )


def resolved(node: Schema) -> Schema:
    """What a reference refers to; anything else as it is."""
    while "$ref" in node:
        _, *steps = node["$ref"].split("/")
        node = functools.reduce(lambda inner, step: inner[step], steps, document())
    return node


def type_of(schema: Schema) -> str:
    """A schema's type in a few words."""
    schema = resolved(schema)
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    kinds = schema.get("anyOf") or schema.get("oneOf")
    if kinds:
        return " | ".join(dict.fromkeys(type_of(kind) for kind in kinds))
    named = schema.get("type", "any")
    if named == "array":
        return f"array of {type_of(schema.get('items', {}))}"
    return " | ".join(named) if isinstance(named, list) else str(named)


def sample(schema: Schema, depth: int = 0) -> Any:
    """A value of a schema's form: its own example, or one made of its parts' types."""
    schema = resolved(schema)
    for known in ("example", "const", "default"):
        if known in schema:
            return schema[known]
    for several in ("examples", "enum"):
        if schema.get(several):
            return schema[several][0]
    kinds = schema.get("anyOf") or schema.get("oneOf")
    return sample(kinds[0], depth) if kinds else _of_type(schema, depth)


def _of_type(schema: Schema, depth: int) -> Any:
    named = schema.get("type")
    match named[0] if isinstance(named, list) else named:
        case "object" if depth < _MOST_DEPTH:
            fields = schema.get("properties", {})
            return {name: sample(inner, depth + 1) for name, inner in fields.items()}
        case "object":
            return {}
        case "array":
            return [sample(schema.get("items", {}), depth + 1)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case _:
            return schema.get("format", "string")


def _as_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
