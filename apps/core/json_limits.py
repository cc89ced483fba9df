"""Limit the size and depth of the JSON objects that callers attach to rows."""

import json
from typing import Any

from apps.core.text import NOT_STORABLE

MAX_JSON_BYTES = 16 * 1024
_MAX_DEPTH = 32


def validate_json_object(value: object) -> dict[str, Any]:
    """Return the value if it is a storable JSON object of at most 16 KiB and 32 levels.

    Raises ValueError with a message for the caller.
    """
    if not isinstance(value, dict):
        raise ValueError("This must be a JSON object.")
    if _is_deeper_than(value, _MAX_DEPTH):
        raise ValueError("This may be nested at most 32 levels deep.")
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(NOT_STORABLE) from None
    except ValueError:
        raise ValueError("This has a number that JSON does not know.") from None
    if size > MAX_JSON_BYTES:
        raise ValueError("This may be at most 16 KiB of JSON.")
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError(NOT_STORABLE)
    return value


def _is_deeper_than(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper_than(each, levels - 1) for each in inner)
