"""The OpenAPI document of the whole API: django-ninja's operations and the chat endpoints."""

import functools
import hashlib
import json
import re
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from pydantic.alias_generators import to_camel

from apps.api_kit import openapi
from apps.api_kit.openapi import Schema, header_refs
from apps.chat import openapi as chat
from apps.core.errors import ApiError
from config.api import api
from config.openapi_operations import complete_operation

API_PREFIX = "/api/v1/"
_DOCUMENT_PATH: Schema = {
    "get": {
        "operationId": "getDocument",
        "tags": ["document"],
        "summary": "Get this document",
        "description": "The API as OpenAPI 3.1. Takes no key.",
        "parameters": [],
        "security": [],
        "responses": {
            "200": {
                "description": "The document",
                "headers": header_refs() | {"ETag": {"schema": {"type": "string"}}},
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    }
}
_DESCRIPTION = """Chatbots, conversations, leads and webhooks of a workspace, from code.

Success is `{"success": true, "data": …}`, failure
`{"success": false, "error": message, "code": CODE}`. Every response has `X-Request-Id`."""


@functools.cache
def document() -> Schema:
    """The document. Built once per process; do not modify it."""
    generated = api.get_openapi_schema(path_prefix=API_PREFIX)
    paths = {f"{API_PREFIX}{path}": item for path, item in chat.paths().items()}
    for path, item in generated["paths"].items():
        for method, operation in item.items():
            paths.setdefault(_camel_path(path), {})[method] = complete_operation(
                path, method, operation, is_patched="patch" in item
            )
    paths[f"{API_PREFIX}openapi.json"] = _DOCUMENT_PATH
    responses = _extract_error_responses(paths)
    complete = {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {
                **generated["components"]["schemas"],
                **chat.schemas(),
                **_error_schemas(responses),
            },
            "responses": responses,
            "headers": openapi.RESPONSE_HEADERS,
            "securitySchemes": {
                "apiKey": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key of the workspace: `sk-workspace_…`.",
                }
            },
        },
    }
    return _rename_schemas(complete)


@functools.cache
def serialized_document() -> tuple[bytes, str]:
    """The document as JSON, and its ETag."""
    body = json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


@require_safe
def openapi_view(request: HttpRequest) -> HttpResponse:
    """The document, or 304 if the caller's If-None-Match has its ETag."""
    body, etag = serialized_document()
    tags = request.headers.get("If-None-Match", "")
    if tags.strip() == "*" or etag in re.findall(r'"[^"]*"', tags):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"], response["Cache-Control"] = etag, "public, max-age=300"
    return response


def operations() -> Iterator[tuple[str, str, Schema]]:
    """Every operation of the document: path, method, operation object."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _camel_path(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: "{" + to_camel(found[1]) + "}", path)


def _extract_error_responses(paths: Schema) -> dict[str, Schema]:
    """Replace the operations' error responses by references, and return them by name."""
    shared: dict[str, Schema] = {}
    for operation in (operation for item in paths.values() for operation in item.values()):
        for status, response in operation["responses"].items():
            if status >= "4":
                name = _response_name(response)
                shared[name] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(shared.items()))


def _response_name(response: Schema) -> str:
    codes = openapi.parse_codes(response)
    words = "Or".join(to_camel(f"_{code.lower()}") for code in codes)
    schema = response["content"]["application/json"]["schema"]
    return f"OpenAI{words}" if schema.get("$ref", "").endswith("/OpenAIError") else words


def _error_schemas(responses: Schema) -> dict[str, Schema]:
    """A schema for each error code that any operation can return."""
    raised = {code for response in responses.values() for code in openapi.parse_codes(response)}
    classes = {error.code: error for error in _error_classes(ApiError)}
    return {
        openapi.error_schema_name(classes[code]): openapi.error_schema(classes[code])
        for code in sorted(raised)
    }


def _error_classes(error: type[ApiError]) -> Iterator[type[ApiError]]:
    yield error
    for subclass in error.__subclasses__():
        yield from _error_classes(subclass)


def schema_name(name: str) -> str:
    """The name of a schema class in the document: `ChatbotSchema` becomes `Chatbot`, and
    `SuccessSchema_ChatbotSchema_`, as pydantic names a generic, `ChatbotResponse`."""
    name = re.sub(r"^SuccessSchema_(\w+?)(?:Schema)?_$", r"\1Response", name)
    return name.removesuffix("Schema")


def _rename_schemas(complete: Schema) -> Schema:
    text = re.sub(
        r"(?<=#/components/schemas/)\w+",
        lambda found: schema_name(found[0]),
        json.dumps(complete, default=list),
    )
    renamed = dict(json.loads(text))
    schemas: Schema = {}
    for name, schema in renamed["components"]["schemas"].items():
        schemas[schema_name(name)] = schema | (
            {"title": schema_name(name)} if "title" in schema else {}
        )
    renamed["components"]["schemas"] = schemas
    return renamed
