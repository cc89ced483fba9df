"""The OpenAPI schemas of an answer and of its stream frames."""

from typing import Any

from apps.api_kit.openapi import EXAMPLE_ID, ID_SCHEMA, Schema

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def shape(example: dict[str, Any] | None = None, **properties: Schema) -> Schema:
    """An object with all of these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **({} if example is None else {"example": example}),
    }


def const(value: str) -> Schema:
    return {"type": "string", "const": value}


TRUE: Schema = {"type": "boolean", "const": True}
FINISH: Schema = {"type": "string", "enum": ["stop", "length", "content_filter", "stopped"]}
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

SCHEMAS: dict[str, Schema] = {
    "ChatResult": shape(
        _DATA,
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

FRAMES: dict[str, Schema] = {
    "MessageStartFrame": shape(
        type=const("message.start"), conversationId=ID_SCHEMA, messageId=ID_SCHEMA, turnId=ID_SCHEMA
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
        "every 15 seconds while the model is silent.",
        "oneOf": [
            {"$ref": f"#/components/schemas/{name}"}
            for name in ("MessageStartFrame", "MessageDeltaFrame", "MessageEndFrame", "ErrorFrame")
        ],
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
