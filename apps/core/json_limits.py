"""JSON objects that callers attach to things: bounded, and such as PostgreSQL can keep."""

from __future__ import annotations

import json
from typing import Any

MAX_JSON_BYTES = 16 * 1024
_MOST_LEVELS = 32


def validate_json_object(value: object) -> dict[str, Any]:
    """The value, if it is a JSON object of at most 16 KiB and 32 levels that can be kept.

    Raises ValueError with a sentence.
    """
    if not isinstance(value, dict):
        raise ValueError("This must be a JSON object.")
    if _is_deeper(value, _MOST_LEVELS):
        raise ValueError("This may be nested at most 32 levels deep.")
    not_text = "This has a NUL or half a surrogate pair in it, which cannot be kept."
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(not_text) from None
    except ValueError:
        raise ValueError("This has a number that JSON does not know.") from None
    if size > MAX_JSON_BYTES:
        raise ValueError("This may be at most 16 KiB of JSON.")
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError(not_text)
    return value


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)
