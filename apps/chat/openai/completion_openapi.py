"""The OpenAPI operations of the OpenAI-compatible endpoints."""

from collections.abc import Iterable

from apps.api_kit.openapi import (
    ID_SCHEMA,
    IDEMPOTENCY_KEY_PARAMETER,
    RATE_LIMIT_HEADERS,
    ErrorClass,
    Schema,
    error_responses,
    header_refs,
    response_description,
)
from apps.chat.http.openapi_schemas import COUNT, CREDITS, KNOWLEDGE_FIELDS, TEXT, shape
from apps.chat.openai.completion_request import IGNORED_FIELDS
from apps.chatbots.errors import ChatbotNotFound

_NULLABLE: Schema = {"type": ["string", "null"]}
_IDS = shape(conversationId=ID_SCHEMA, turnId=ID_SCHEMA, messageId=ID_SCHEMA)
_USAGE = shape(prompt_tokens=COUNT, completion_tokens=COUNT, total_tokens=COUNT)


def _part(kind: str) -> Schema:
    """A part of a message's content, of this type."""
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "const": kind}, kind: TEXT},
        "required": ["type", kind],
    }


_PARTS: Schema = {"type": "array", "minItems": 1, "items": _part("text")}
_FUNCTION: Schema = {
    "type": "object",
    "properties": {"name": TEXT, "arguments": TEXT},
    "required": ["name", "arguments"],
}
_CALL: Schema = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "type": {"type": "string", "const": "function"},
        "function": _FUNCTION,
    },
    "required": ["id", "type", "function"],
}

_ANNOTATION = shape(
    type={"type": "string", "const": "url_citation"},
    url_citation=shape(start_index=COUNT, end_index=COUNT, title=TEXT, url=TEXT),
)
_ANNOTATIONS: Schema = {
    "type": "array",
    "items": _ANNOTATION,
    "description": "Where the text cites a page. The end of a mark is exclusive.",
}

_ERROR = shape(message=TEXT, type=TEXT, param=_NULLABLE, code=TEXT)
# The credits of a 402, as in its body elsewhere.
_ERROR["properties"] |= {"needed": COUNT, "available": COUNT}
_PASSED: Schema = {"description": "Passed over: the chatbot's owner decides."}
_NULL: Schema = {"type": "null"}
_NONE: Schema = {"type": ["array", "null"], "items": {}, "maxItems": 0}
_NO_CALLS = dict.fromkeys(("tool_calls", "function_call", "audio"), _NONE)


def _said(*roles: str) -> Schema:
    """A message that must have content: everybody's but the assistant's."""
    return {
        "type": "object",
        "properties": {
            "role": {"type": "string", "enum": list(roles)},
            "content": {"oneOf": [TEXT, _PARTS]},
            "name": _NULLABLE,
            **_NO_CALLS,
        },
        "required": ["role", "content"],
    }


_MESSAGES: dict[str, Schema] = {
    "CompletionUserMessage": _said("system", "developer", "user"),
    "CompletionAssistantMessage": {
        "type": "object",
        "properties": {
            "role": {"type": "string", "const": "assistant"},
            "content": {
                "oneOf": [
                    TEXT,
                    {"type": "array", "items": {"oneOf": [_part("text"), _part("refusal")]}},
                    _NULL,
                ]
            },
            "refusal": _NULLABLE,
            "name": _NULLABLE,
            "tool_calls": {"type": ["array", "null"], "items": _CALL},
            "function_call": {"oneOf": [_FUNCTION, _NONE]},
            "audio": _NONE,
        },
        "required": ["role"],
    },
    "CompletionToolMessage": _said("tool", "function"),
}

_ASKING_NOTHING: dict[str, Schema] = {
    "audio": _NULL,
    "function_call": {"enum": ["none", None]},
    "functions": _NONE,
    "logprobs": {"anyOf": [{"type": "boolean", "const": False}, _NULL]},
    "modalities": {
        "type": ["array", "null"],
        "items": {"type": "string", "const": "text"},
        "minItems": 1,
        "maxItems": 1,
    },
    "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 1},
    "response_format": {
        "type": ["object", "null"],
        "properties": {"type": {"type": "string", "const": "text"}},
        "required": ["type"],
    },
    "tool_choice": {"enum": ["none", "auto", None]},
    "tools": _NONE,
    "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 0},
    "web_search_options": _NULL,
}
"""Parameters that change the kind of answer may be sent only with values of no effect."""

SCHEMAS: dict[str, Schema] = {
    "CompletionRequest": {
        "type": "object",
        "description": "OpenAI's body. What only tunes an answer is passed over; what would change "
        "its kind (tools, several choices, audio) is refused.",
        "properties": {
            "model": ID_SCHEMA,
            "messages": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/components/schemas/CompletionMessage"},
                "description": "The last must be the user's, and have words in it.",
            },
            "stream": {"type": ["boolean", "null"]},
            "stream_options": {
                "type": ["object", "null"],
                "properties": {"include_usage": {"type": ["boolean", "null"]}},
            },
            "metadata": {
                "type": ["object", "null"],
                "description": "`conversationId` continues a conversation; the rest is kept.",
                "properties": {"conversationId": {"anyOf": [ID_SCHEMA, {"type": "null"}]}},
            },
            **dict.fromkeys(sorted(IGNORED_FIELDS), _PASSED),
            **_ASKING_NOTHING,
        },
        "required": ["model", "messages"],
        "additionalProperties": False,
        "example": {
            "model": "c0mwsqprccacpzc2j774bqrdc",
            "messages": [{"role": "user", "content": "Hello"}],
        },
    },
    "CompletionMessage": {
        "description": "Messages without words, calls of tools and their results are left out of "
        "the prompt: a chatbot has no tools.",
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in _MESSAGES],
    },
    **_MESSAGES,
    "Completion": shape(
        optional=KNOWLEDGE_FIELDS,
        id=TEXT,
        object={"type": "string", "const": "chat.completion"},
        created=COUNT,
        model=ID_SCHEMA,
        choices={
            "type": "array",
            "items": shape(
                index=COUNT,
                message=shape(
                    optional={"annotations": _ANNOTATIONS},
                    role={"type": "string", "const": "assistant"},
                    content=TEXT,
                    refusal={"type": "null"},
                ),
                logprobs={"type": "null"},
                finish_reason={"type": "string", "enum": ["stop", "length", "content_filter"]},
            ),
        },
        usage=_USAGE,
        credits=CREDITS,
        metadata=_IDS,
    ),
    "Model": shape(
        id=ID_SCHEMA,
        object={"type": "string", "const": "model"},
        created=COUNT,
        owned_by=ID_SCHEMA,
        name=TEXT,
    ),
    "ModelList": shape(
        object={"type": "string", "const": "list"},
        data={"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
    ),
    "OpenAIError": shape(error=_ERROR),
}
_OPENAI_LIMITS = tuple(f"x-ratelimit-{what}-requests" for what in ("limit", "remaining", "reset"))
_STREAM: Schema = {
    "schema": {
        "description": "Server-sent `chat.completion.chunk` objects, then `data: [DONE]`.",
    }
}


def paths(key: Iterable[ErrorClass], turn: Iterable[ErrorClass]) -> dict[str, Schema]:
    """The operations by path below `openai/`."""
    model_id = {"name": "chatbotId", "in": "path", "required": True, "schema": ID_SCHEMA}
    return {
        "openai/chat/completions": {
            "post": {
                "operationId": "createCompletion",
                "tags": ["openai"],
                "summary": "Create a chat completion",
                "description": "OpenAI's chat completions, with chatbots for models. The scope is "
                "`chat`.",
                "parameters": [IDEMPOTENCY_KEY_PARAMETER],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("CompletionRequest")}},
                },
                "responses": {
                    "200": {
                        "description": "The completion",
                        "headers": header_refs(*RATE_LIMIT_HEADERS) | _limits(),
                        "content": {
                            "application/json": {"schema": _ref("Completion")},
                            "text/event-stream": _STREAM,
                        },
                    },
                    **_errors([*key, *turn]),
                },
            }
        },
        "openai/models": {"get": _get("listModels", "List models", "ModelList", key)},
        "openai/models/{chatbotId}": {
            "get": _get("getModel", "Get a model", "Model", [*key, ChatbotNotFound])
            | {"parameters": [model_id]}
        },
    }


def _get(name: str, summary: str, schema: str, errors: Iterable[ErrorClass]) -> Schema:
    return {
        "operationId": name,
        "tags": ["openai"],
        "summary": summary,
        "description": "The workspace's active chatbots as models. The scope is `chat`.",
        "parameters": [],
        "responses": {
            "200": {
                "description": "OK",
                "headers": header_refs(),
                "content": {"application/json": {"schema": _ref(schema)}},
            },
            **_errors(errors),
        },
    }


def _limits() -> Schema:
    return {name: {"schema": {"type": "string"}} for name in _OPENAI_LIMITS}


def _errors(errors: Iterable[ErrorClass]) -> dict[str, Schema]:
    """The usual error responses, in OpenAI's format."""
    found = list(errors)
    responses = error_responses(found)
    for status, response in responses.items():
        of_status = [error for error in dict.fromkeys(found) if str(error.status) == status]
        response["description"] = response_description(int(status), of_status)
        response["content"] = {"application/json": {"schema": _ref("OpenAIError")}}
    return responses


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
