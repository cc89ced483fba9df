"""Complete the operations of django-ninja's schema for the OpenAPI document.

ninja generates parameters, bodies and successes. Added here is what follows from an operation's
form: its errors, its headers, and names in camelCase.
"""

import re
from collections.abc import Iterator

from pydantic.alias_generators import to_camel

from apps.api_keys.errors import ApiKeyNotFound, InvalidApiKey, MissingAuthHeader
from apps.api_kit.callers import ScopeMissing
from apps.api_kit.openapi import (
    ID_SCHEMA,
    IDEMPOTENCY_KEY_PARAMETER,
    RAISES_KEY,
    RATE_LIMIT_HEADERS,
    WITHOUT_IDEMPOTENCY,
    Schema,
    error_responses,
    header_refs,
)
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
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
    UnsupportedMediaType,
    UrlTooLong,
    ValidationFailed,
)
from apps.knowledge.errors import ChunkNotFound, KnowledgeBaseNotFound, SourceNotFound
from apps.leads.errors import LeadNotFound
from apps.webhooks.errors import DeliveryNotFound, EndpointNotFound

_COMMON_ERRORS = (
    *(MissingAuthHeader, InvalidApiKey, ScopeMissing, UrlTooLong),
    *(TooManyRequests, InternalError, ServiceUnavailable),
)
_BODY_ERRORS = (ValidationFailed, RequestTimeout, PayloadTooLarge, UnsupportedMediaType)
NOT_FOUND_BY_PARAMETER: dict[str, type[ApiError]] = {
    "api_key_id": ApiKeyNotFound,
    "chatbot_id": ChatbotNotFound,
    "chunk_id": ChunkNotFound,
    "conversation_id": ConversationNotFound,
    "delivery_id": DeliveryNotFound,
    "endpoint_id": EndpointNotFound,
    "export_id": ExportNotFound,
    "language_model_id": LanguageModelNotFound,
    "knowledge_base_id": KnowledgeBaseNotFound,
    "source_id": SourceNotFound,
    "lead_id": LeadNotFound,
    "message_id": MessageNotFound,
    "turn_id": TurnNotFound,
    "version_id": ChatbotVersionNotFound,
}
"""The error for an id in the path that does not exist, by the parameter's name."""


def complete_operation(path: str, method: str, generated: Schema, *, is_patched: bool) -> Schema:
    """An operation of ninja's schema with errors, headers and names in camelCase.

    `is_patched`: the path has a PATCH too, so that a PUT of the same function needs another
    operationId.
    """
    hidden = (RAISES_KEY, "security", *WITHOUT_IDEMPOTENCY)
    operation = {name: value for name, value in generated.items() if name not in hidden}
    is_idempotent = method == "post" and not WITHOUT_IDEMPOTENCY.keys() & generated.keys()
    name = to_camel(str(generated["operationId"]))
    summary = str(generated["summary"]).capitalize()
    operation["summary"] = summary.replace("api key", "API key")
    operation["operationId"] = f"{name}ByPut" if method == "put" and is_patched else name
    operation["parameters"] = [_complete_parameter(each) for each in generated["parameters"]]
    if is_idempotent:
        operation["parameters"].append(IDEMPOTENCY_KEY_PARAMETER)
    successes = {
        str(status): _with_rate_limit_headers(response)
        for status, response in generated["responses"].items()
    }
    if is_idempotent:
        for response in successes.values():
            response["headers"] |= header_refs("Idempotent-Replayed")
    raised = [
        *_COMMON_ERRORS,
        *_implied_errors(path),
        *([IdempotencyMismatch] if is_idempotent else []),
        *generated.get(RAISES_KEY, ()),
    ]
    operation["responses"] = {**successes, **error_responses(raised)}
    return operation


def _implied_errors(path: str) -> Iterator[type[ApiError]]:
    for name in re.findall(r"{(\w+)}", path):
        yield NOT_FOUND_BY_PARAMETER.get(name, NotFound)
    yield from _BODY_ERRORS


def _complete_parameter(generated: Schema) -> Schema:
    if generated["in"] != "path":
        return {**generated, "schema": _without_null(generated["schema"])}
    return {**generated, "name": to_camel(generated["name"]), "schema": ID_SCHEMA}


def _without_null(schema: Schema) -> Schema:
    """The schema of a query parameter: an optional one is left out, never null."""
    kinds = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{name: value for name, value in schema.items() if name != "anyOf"}}


def _with_rate_limit_headers(generated: Schema) -> Schema:
    return {**generated, "headers": header_refs(*RATE_LIMIT_HEADERS)}
