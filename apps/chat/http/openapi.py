"""The OpenAPI operations of the chat endpoints. The request body comes from its serializer."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from apps.api_keys.errors import InvalidApiKey, MissingAuthHeader
from apps.api_kit.callers import ScopeMissing
from apps.api_kit.openapi import (
    ID_SCHEMA,
    IDEMPOTENCY_KEY_PARAMETER,
    RATE_LIMIT_HEADERS,
    ErrorClass,
    Schema,
    error_responses,
    header_refs,
)
from apps.chat.engine.request_parsing import ChatSerializer
from apps.chat.errors import (
    KnowledgeUnavailable,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    ReplyLimitReached,
    TurnAbandoned,
)
from apps.chat.http.openapi_schemas import FRAMES, SCHEMAS, STREAMED
from apps.chatbots.errors import ChatbotNotFound
from apps.conversations.errors import ConversationBusy, ConversationNotFound, TurnNotFound
from apps.core.errors import (
    IdempotencyMismatch,
    InternalError,
    PayloadTooLarge,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
    UnsupportedMediaType,
    UrlTooLong,
    ValidationFailed,
)
from apps.core.text import NOT_BLANK_PATTERN
from apps.credits.errors import InsufficientCredits

KEY: tuple[ErrorClass, ...] = (
    MissingAuthHeader,
    InvalidApiKey,
    ScopeMissing,
    UrlTooLong,
    InternalError,
    ServiceUnavailable,
)
MODEL: tuple[ErrorClass, ...] = (
    ReplyLimitReached,
    ModelError,
    ModelUnavailable,
    ModelTimeout,
    KnowledgeUnavailable,
    TurnAbandoned,
)
TURN: tuple[ErrorClass, ...] = (
    ValidationFailed,
    InsufficientCredits,
    ChatbotNotFound,
    ConversationNotFound,
    ConversationBusy,
    IdempotencyMismatch,
    RequestTimeout,
    PayloadTooLarge,
    UnsupportedMediaType,
    TooManyRequests,
    *MODEL,
)
PROTOCOL: Schema = {
    "description": "`ai-sdk` for the frames of Vercel's AI SDK; Parley's own without it.",
    "schema": {"type": "string", "enum": ["ai-sdk"]},
}
PROTOCOLS = [
    {"name": "protocol", "in": "query", **PROTOCOL},
    {"name": "X-Parley-Protocol", "in": "header", **PROTOCOL},
]
_AFTER: Schema = {"type": "string", "pattern": "^[0-9]{0,9}$"}
_LAST = "The last frame you have, or nothing. Not with `ai-sdk`, which tells a turn from its start."
AFTER = [
    {"name": "after", "in": "query", "schema": _AFTER, "description": _LAST},
    {
        "name": "Last-Event-ID",
        "in": "header",
        "schema": _AFTER,
        "description": "The same; of two, the later counts.",
    },
]


def paths() -> dict[str, Schema]:
    """The operations of the chat endpoint, by path below `/api/v1/`."""
    return {
        "chatbots/{chatbotId}/chat": {"post": _chat()},
        "chatbots/{chatbotId}/turns/{turnId}/stream": {"get": _stream()},
        "chatbots/{chatbotId}/turns/{turnId}/stop": {"post": _stop()},
    }


def schemas() -> dict[str, Schema]:
    """The component schemas that the operations refer to."""
    return {
        **SCHEMAS,
        **FRAMES,
        "ChatRequest": body_schema(ChatSerializer()),
    }


def body_schema(serializer: serializers.Serializer[Any]) -> Schema:
    """A strict serializer's fields as JSON Schema."""
    properties = {name: _field(field) for name, field in serializer.fields.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, field in serializer.fields.items() if field.required],
        "additionalProperties": False,
        "example": {"message": "Hello, how can you help me?", "stream": False},
    }


def _field(field: serializers.Field[Any, Any, Any, Any]) -> Schema:
    schema: Schema
    match field:
        case serializers.BooleanField():
            schema = {"type": "boolean"}
        case serializers.CharField():
            schema = {"type": "string", "minLength": 1, "maxLength": field.max_length}
            schema["pattern"] = NOT_BLANK_PATTERN
        case _:
            schema = {"type": "object", "description": "At most 16 KiB and 32 levels."}
    if field.allow_null:
        schema["type"] = [schema["type"], "null"]
    return schema


def _chat() -> Schema:
    return {
        "operationId": "chat",
        "tags": ["chat"],
        "summary": "Send a message",
        "description": "The answer as JSON or as a stream of server-sent events: as `stream` says, "
        "or as the chatbot does where it is left out. The scope is `chat`.",
        "parameters": [*PATH[:1], *PROTOCOLS, IDEMPOTENCY_KEY_PARAMETER],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/ChatRequest"}}
            },
        },
        "responses": {"200": answer(_ref("ChatAnswer"), STREAMED), **errors(TURN)},
    }


def _stream() -> Schema:
    return {
        "operationId": "streamTurn",
        "tags": ["chat"],
        "summary": "Read a turn's stream",
        "description": "From any process, while the turn runs or after it, in the frames of chat. "
        "The scope is `chat`.",
        "parameters": [*PATH, *PROTOCOLS, *AFTER],
        "responses": {
            "200": answer(None, STREAMED),
            **errors(
                [ValidationFailed, ChatbotNotFound, TurnNotFound, TooManyRequests, TurnAbandoned]
            ),
        },
    }


def _stop() -> Schema:
    return {
        "operationId": "stopTurn",
        "tags": ["chat"],
        "summary": "Stop a turn",
        "description": "Answers with how the turn ended, whoever ended it. The scope is `chat`.",
        "parameters": PATH,
        "responses": {
            "200": answer(_ref("ChatAnswer")),
            **errors([ChatbotNotFound, TurnNotFound, *MODEL]),
        },
    }


def answer(schema: Schema | None, stream: Schema | None = None) -> Schema:
    """A successful response with the rate-limit headers: as JSON, as a stream, or both."""
    content = {} if schema is None else {"application/json": {"schema": schema}}
    return {
        "description": "The answer",
        "headers": header_refs(*RATE_LIMIT_HEADERS),
        "content": content | ({} if stream is None else {"text/event-stream": stream}),
    }


def errors(more: Iterable[ErrorClass]) -> Schema:
    """The errors of every chat operation, and these."""
    return error_responses([*KEY, *more])


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


PATH: list[Schema] = [
    {"name": name, "in": "path", "required": True, "schema": ID_SCHEMA}
    for name in ("chatbotId", "turnId")
]
