"""Shared parts of the OpenAPI document: error responses, headers, ids.

An operation lists its own errors with `raises`. `config/openapi.py` adds those that follow from
its form: an API key, a body, an id in the path. Each error class becomes a schema named after its
code, so that generated clients can tell errors apart by `code`.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from apps.core.errors import ApiError, PaymentRequired, TooManyRequests, ValidationFailed
from apps.core.ids import ID_LENGTH

Schema = dict[str, Any]
ErrorClass = type[ApiError]
RAISES_KEY = "x-raises"
"""The extension that holds an operation's own errors until the document is built."""

WITHOUT_IDEMPOTENCY: dict[str, Any] = {"x-without-idempotency": True}
"""`openapi_extra` for a POST that changes nothing, so that it can be repeated."""

ID_SCHEMA: Schema = {
    "type": "string",
    "pattern": f"^c[0-9a-z]{{{ID_LENGTH - 1}}}$",
    "description": "An opaque id.",
}
EXAMPLE_ID = "c0mwsqprccacpzc2j774bqrdc"
_COUNT_SCHEMA: Schema = {"type": "integer", "minimum": 0}

RESPONSE_HEADERS: Mapping[str, Schema] = {
    "X-Request-Id": {
        "description": "The id of this request. Quote it to support.",
        "required": True,
        "schema": {"type": "string", "pattern": "^req_[0-9a-f]{24}$"},
    },
    "X-RateLimit-Limit": {
        "description": "Requests allowed in the window.",
        "schema": _COUNT_SCHEMA,
    },
    "X-RateLimit-Remaining": {
        "description": "Requests left in the window.",
        "schema": _COUNT_SCHEMA,
    },
    "X-RateLimit-Reset": {
        "description": "Unix second at which the oldest request stops counting.",
        "schema": _COUNT_SCHEMA,
    },
    "Retry-After": {
        "description": "Whole seconds after which another try may pass.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate: with a bearer token.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "The answer was given before, under the same Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
}
RATE_LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_HEADERS_BY_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}

IDEMPOTENCY_KEY_PARAMETER: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a retry safe: the same request under the same key is done once and "
    "answered alike for 24 hours.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[!-~]([ -~]*[!-~])?$",
    },
    "example": "order-4711",
}


def raises(*errors: ErrorClass) -> dict[str, Any]:
    """`openapi_extra` for an operation that raises these errors of its own."""
    return {RAISES_KEY: list(errors)}


def header_refs(*names: str) -> Schema:
    """References to response headers; X-Request-Id, which every response has, is included."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *names)}


def error_schema_name(error: ErrorClass) -> str:
    """The name of an error's schema: ModelTimeoutError for MODEL_TIMEOUT."""
    words = error.code.removesuffix("_ERROR").split("_")
    return "".join(word.capitalize() for word in words) + "Error"


def error_schema(error: ErrorClass) -> Schema:
    """The schema of an error's body, with a constant `code`."""
    properties: Schema = {
        "success": {"type": "boolean", "const": False},
        "error": {"type": "string", "description": "A message for people."},
        "code": {"type": "string", "const": error.code},
    }
    if issubclass(error, ValidationFailed):
        messages = {"type": "array", "items": {"type": "string"}}
        properties["details"] = {
            "type": "object",
            "additionalProperties": messages,
            "description": "Field → what is wrong with it.",
        }
    if issubclass(error, TooManyRequests):
        properties["retryAfter"] = {"type": "integer", "minimum": 1}
    if issubclass(error, PaymentRequired):
        properties |= {
            "needed": _COUNT_SCHEMA | {"description": "Credits that the request may cost at most."},
            "available": _COUNT_SCHEMA | {"description": "Credits that are not held."},
        }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "example": error_example(error),
    }


def error_example(error: ErrorClass) -> Schema:
    """An example of an error's body."""
    if issubclass(error, ValidationFailed):
        return error({"limit": ["Input should be less than or equal to 100."]}).body()
    if issubclass(error, TooManyRequests):
        return error(60).body()
    if issubclass(error, PaymentRequired):
        return error(needed=1200, available=450).body()
    return {"success": False, "error": error.message, "code": error.code}


def error_responses(errors: Iterable[ErrorClass]) -> dict[str, Schema]:
    """The response objects for these errors, by status."""
    by_status: dict[int, list[ErrorClass]] = {}
    for error in sorted(set(errors), key=lambda each: (each.status, each.code)):
        by_status.setdefault(error.status, []).append(error)
    return {str(status): _response(status, found) for status, found in by_status.items()}


def _response(status: int, errors: list[ErrorClass]) -> Schema:
    refs = [{"$ref": f"#/components/schemas/{error_schema_name(error)}"} for error in errors]
    return {
        "description": response_description(status, errors),
        "headers": header_refs(*RATE_LIMIT_HEADERS, *_HEADERS_BY_STATUS.get(status, ())),
        "content": {
            "application/json": {
                "schema": refs[0] if len(refs) == 1 else {"oneOf": refs},
                "examples": {error.code: {"value": error_example(error)} for error in errors},
            }
        },
    }


def response_description(status: int, errors: Iterable[ErrorClass]) -> str:
    """The description of an error response: its status phrase and its codes."""
    codes = " or ".join(f"`{error.code}`" for error in errors)
    return f"{HTTPStatus(status).phrase}: {codes}."


def parse_codes(response: Schema) -> list[str]:
    """The error codes in a response's description."""
    return re.findall(r"`([A-Z_]+)`", response["description"])
