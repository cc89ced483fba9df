"""The API's one document: django-ninja's operations and the chat endpoints together.

ninja tells its operations' parameters, bodies and successes. Here they get what all of them share
and none of them states: the errors that follow from their form, the headers, names in camelCase.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from pydantic.alias_generators import to_camel

from apps.api_keys.errors import ApiKeyNotFound, InvalidApiKey, MissingAuthHeader
from apps.api_kit import openapi
from apps.api_kit.callers import ScopeMissing
from apps.api_kit.openapi import (
    RAISES_KEY,
    RATE_LIMIT_HEADERS,
    Schema,
    error_responses,
    header_refs,
)
from apps.chat.http import openapi as chat
from apps.chatbots.errors import ChatbotNotFound, ChatbotVersionNotFound, LanguageModelNotFound
from apps.conversations.errors import (
    ConversationNotFound,
    ExportNotFound,
    MessageNotFound,
    TurnNotFound,
)
from apps.core.errors import (
    ApiError,
    IdempotencyMismatch,
    InternalError,
    NotFound,
    PayloadTooLarge,
    ServiceUnavailable,
    TooManyRequests,
    UnsupportedMediaType,
    ValidationFailed,
)
from apps.leads.errors import LeadNotFound
from apps.webhooks.errors import DeliveryNotFound, EndpointNotFound
from config.api import api

API_PREFIX = "/api/v1/"
HTTP_METHODS = ("get", "post", "put", "patch", "delete")
_COMMON_ERRORS = (
    *(MissingAuthHeader, InvalidApiKey, ScopeMissing),
    *(TooManyRequests, InternalError, ServiceUnavailable),
)
_BODY_ERRORS = (ValidationFailed, PayloadTooLarge, UnsupportedMediaType)
NOT_FOUND_BY_PARAMETER: dict[str, type[ApiError]] = {
    "api_key_id": ApiKeyNotFound,
    "chatbot_id": ChatbotNotFound,
    "conversation_id": ConversationNotFound,
    "delivery_id": DeliveryNotFound,
    "endpoint_id": EndpointNotFound,
    "export_id": ExportNotFound,
    "language_model_id": LanguageModelNotFound,
    "lead_id": LeadNotFound,
    "message_id": MessageNotFound,
    "turn_id": TurnNotFound,
    "version_id": ChatbotVersionNotFound,
}
"""What is not found where nothing has the id of this name."""
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
`{"success": false, "error": sentence, "code": CODE}`. Every response has `X-Request-Id`."""


@dataclass(frozen=True, slots=True)
class SerializedDocument:
    """The document as it is sent."""

    body: bytes
    etag: str


@functools.cache
def document() -> Schema:
    """The document. Built once in a process; do not change it."""
    theirs = api.get_openapi_schema(path_prefix=API_PREFIX)
    paths = {f"{API_PREFIX}{path}": item for path, item in chat.paths().items()}
    for path, item in theirs["paths"].items():
        for method, operation in item.items():
            paths.setdefault(_camel_path(path), {})[method] = _complete_operation(
                path, method, operation, is_patched="patch" in item
            )
    paths[f"{API_PREFIX}openapi.json"] = _DOCUMENT_PATH
    responses = _extract_error_responses(paths)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": "1", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {
                **theirs["components"]["schemas"],
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
    return _rename_schemas(whole)


@functools.cache
def serialized_document() -> SerializedDocument:
    """The document as JSON, and the tag by which a reader knows it again."""
    body = json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()
    return SerializedDocument(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@require_safe
def openapi_view(request: HttpRequest) -> HttpResponse:
    """GET the document, or 304 if the caller has it."""
    found = serialized_document()
    tags = request.headers.get("If-None-Match", "")
    if tags.strip() == "*" or found.etag in re.findall(r'"[^"]*"', tags):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(found.body, content_type="application/json")
    response["ETag"], response["Cache-Control"] = found.etag, "public, max-age=300"
    return response


def operations() -> Iterator[tuple[str, str, Schema]]:
    """Every operation as its path, its method and what the document says of it."""
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def error_codes(operation: Schema) -> dict[str, list[str]]:
    """The codes of an operation's errors, by status."""
    shared = document()["components"]["responses"]
    return {
        status: openapi.parse_codes(shared[response["$ref"].rpartition("/")[2]])
        for status, response in operation["responses"].items()
        if status >= "4"
    }


def _complete_operation(path: str, method: str, generated: Schema, *, is_patched: bool) -> Schema:
    """ninja's operation with all that it shares with the others. Where PUT and PATCH do the same
    (`is_patched`), they are two operations and want two names."""
    operation = {
        name: value for name, value in generated.items() if name not in (RAISES_KEY, "security")
    }
    name = to_camel(str(generated["operationId"]))
    summary = str(generated["summary"]).capitalize()
    operation["summary"] = summary.replace("api key", "API key")
    operation["operationId"] = f"{name}ByPut" if method == "put" and is_patched else name
    operation["parameters"] = [_complete_parameter(each) for each in generated["parameters"]]
    if method == "post":
        operation["parameters"].append(openapi.IDEMPOTENCY_KEY_PARAMETER)
    successes = {
        str(status): _with_rate_limit_headers(what)
        for status, what in generated["responses"].items()
    }
    if method == "post":
        for response in successes.values():
            response["headers"] |= header_refs("Idempotent-Replayed")
    raised = [
        *_COMMON_ERRORS,
        *_implied_errors(path, method, generated),
        *generated.get(RAISES_KEY, ()),
    ]
    operation["responses"] = {**successes, **error_responses(raised)}
    return operation


def _implied_errors(path: str, method: str, ninjas: Schema) -> Iterator[type[ApiError]]:
    for name in re.findall(r"{(\w+)}", path):
        yield NOT_FOUND_BY_PARAMETER.get(name, NotFound)
    yield from _BODY_ERRORS
    if method == "post":
        yield IdempotencyMismatch


def _complete_parameter(ninjas: Schema) -> Schema:
    if ninjas["in"] != "path":
        return {**ninjas, "schema": _without_null(ninjas["schema"])}
    return {**ninjas, "name": to_camel(ninjas["name"]), "schema": openapi.ID_SCHEMA}


def _without_null(schema: Schema) -> Schema:
    """A query has no null: what may be left out has its one other type."""
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _with_rate_limit_headers(ninjas: Schema) -> Schema:
    return {**ninjas, "headers": header_refs(*RATE_LIMIT_HEADERS)}


def _camel_path(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: "{" + to_camel(found[1]) + "}", path)


def _extract_error_responses(paths: Schema) -> dict[str, Schema]:
    """The error responses of all operations, each once under a name of its codes. In the
    operations they are put as references."""
    shared: dict[str, Schema] = {}
    for operation in (operation for item in paths.values() for operation in item.values()):
        for status, response in operation["responses"].items():
            if status >= "4":
                name = _response_name(response)
                shared[name] = response
                reference = {"$ref": f"#/components/responses/{name}"}
                operation["responses"][status] = reference
    return dict(sorted(shared.items()))


def _response_name(response: Schema) -> str:
    codes = openapi.parse_codes(response)
    words = "Or".join(to_camel(f"_{code.lower()}") for code in codes)
    shape = response["content"]["application/json"]["schema"]
    return f"OpenAI{words}" if shape.get("$ref", "").endswith("/OpenAIError") else words


def _error_schemas(responses: Schema) -> dict[str, Schema]:
    """A schema for each error that any operation can raise."""
    raised = {code for response in responses.values() for code in openapi.parse_codes(response)}
    tree = {error.code: error for error in _error_classes(ApiError)}
    return {
        openapi.error_schema_name(tree[code]): openapi.error_schema(tree[code])
        for code in sorted(raised)
    }


def _error_classes(error: type[ApiError]) -> Iterator[type[ApiError]]:
    yield error
    for leaf in error.__subclasses__():
        yield from _error_classes(leaf)


def schema_name(name: str) -> str:
    """The name of a schema class in the document: `ChatbotSchema` becomes `Chatbot`, and
    `SuccessSchema_ChatbotSchema_`, as pydantic names a generic, `ChatbotResponse`."""
    name = re.sub(r"^SuccessSchema_(\w+?)(?:Schema)?_$", r"\1Response", name)
    return name.removesuffix("Schema")


def _rename_schemas(whole: Schema) -> Schema:
    text = re.sub(
        r"(?<=#/components/schemas/)\w+",
        lambda found: schema_name(found[0]),
        json.dumps(whole, default=list),
    )
    renamed = dict(json.loads(text))
    schemas: Schema = {}
    for name, schema in renamed["components"]["schemas"].items():
        schemas[schema_name(name)] = schema | (
            {"title": schema_name(name)} if "title" in schema else {}
        )
    renamed["components"]["schemas"] = schemas
    return renamed
