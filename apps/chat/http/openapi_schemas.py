"""The OpenAPI schemas of an answer and of its stream frames."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from apps.api_kit.openapi import EXAMPLE_ID, ID_SCHEMA, Schema
from apps.conversations.models import Knowledge

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def shape(
    example: dict[str, Any] | None = None,
    optional: Mapping[str, Schema] = MappingProxyType({}),
    **properties: Schema,
) -> Schema:
    """An object with all of these properties, perhaps the optional ones, and no others."""
    return {
        "type": "object",
        "properties": {**properties, **optional},
        "required": list(properties),
        "additionalProperties": False,
        **({} if example is None else {"example": example}),
    }


def const(value: str) -> Schema:
    return {"type": "string", "const": value}


TRUE: Schema = {"type": "boolean", "const": True}
FINISH: Schema = {"type": "string", "enum": ["stop", "length", "content_filter", "stopped"]}
KNOWLEDGE: Schema = {
    "type": "string",
    "enum": list(Knowledge.values),
    "description": "What came of the search for passages.",
}
CREDITS = shape(charged=COUNT, balance={"type": "integer"})

_DATA = {
    "response": "Hello! I'm here to help you. What would you like to know?",
    "conversationId": EXAMPLE_ID,
    "messageId": "c0mwsqprcgdxla9n6240a9689",
    "turnId": "c0mwsqprcf78vjsffuk9kr55v",
    "finishReason": "stop",
    "usage": {"inputTokens": 14, "outputTokens": 16},
    "credits": {"charged": 1, "balance": 9999},
}

KNOWLEDGE_FIELDS: dict[str, Schema] = {
    "knowledge": KNOWLEDGE,
    "sources": {
        "type": "array",
        "items": {"$ref": "#/components/schemas/AnswerSource"},
        "description": "The passages that the model was shown.",
    },
}
"""Fields of a whole answer that uses knowledge."""

SCHEMAS: dict[str, Schema] = {
    "ChatResult": shape(
        _DATA,
        KNOWLEDGE_FIELDS,
        response=TEXT,
        conversationId=ID_SCHEMA,
        messageId=ID_SCHEMA,
        turnId=ID_SCHEMA,
        finishReason=FINISH,
        usage=shape(inputTokens=COUNT, outputTokens=COUNT),
        credits=CREDITS,
    ),
    "ChatAnswer": shape(
        {"success": True, "data": _DATA},
        success=TRUE,
        data={"$ref": "#/components/schemas/ChatResult"},
    ),
}

_FRAME_NAMES = (
    "MessageStartFrame",
    "MessageSourcesFrame",
    "MessageDeltaFrame",
    "MessageEndFrame",
    "ErrorFrame",
)
FRAMES: dict[str, Schema] = {
    "MessageStartFrame": shape(
        type=const("message.start"), conversationId=ID_SCHEMA, messageId=ID_SCHEMA, turnId=ID_SCHEMA
    ),
    "FoundSource": shape(
        number={"type": "integer", "minimum": 1},
        sourceId=ID_SCHEMA,
        title=TEXT,
        url={"type": ["string", "null"]},
        page={"type": ["integer", "null"]},
        quote=TEXT,
    ),
    "MessageSourcesFrame": shape(
        type=const("message.sources"),
        knowledge=KNOWLEDGE,
        sources={"type": "array", "items": {"$ref": "#/components/schemas/FoundSource"}},
    ),
    "MessageDeltaFrame": shape(
        {"type": "message.delta", "delta": "Hello! "}, type=const("message.delta"), delta=TEXT
    ),
    "MessageEndFrame": shape(
        type=const("message.end"),
        success=TRUE,
        data={"$ref": "#/components/schemas/ChatResult"},
    ),
    "ErrorFrame": shape(
        type=const("error"), success={"type": "boolean", "const": False}, error=TEXT, code=TEXT
    ),
    "Frame": {
        "description": "The JSON of one frame's `data:`. Its `event:` is the `type`, its `id:` the "
        "number in the turn, from 1. After the last comes `data: [DONE]`; a comment line comes "
        "every 15 seconds while the model is silent. `message.sources` is the second frame of a "
        "turn that uses knowledge; others have none.",
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in _FRAME_NAMES],
    },
}

_STREAM = (
    'id: 1\nevent: message.start\ndata: {"type":"message.start",…}\n\n'
    'id: 2\nevent: message.delta\ndata: {"type":"message.delta","delta":"Hello! "}\n\n'
    'id: 3\nevent: message.end\ndata: {"type":"message.end","success":true,"data":{…}}\n\n'
    "data: [DONE]\n\n"
)
STREAMED: Schema = {
    "schema": {
        "description": "Server-sent events. `data:` of each is a `Frame`, or `[DONE]` at the end.",
    },
    "example": _STREAM,
}
