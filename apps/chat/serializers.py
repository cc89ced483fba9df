"""The body of a chat request."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from apps.core.drf import StrictBooleanField, StrictCharField, StrictSerializer

MESSAGE_LENGTH = 32_000
METADATA_BYTES = 16 * 1024
_METADATA_DEPTH = 32


class MetadataField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of at most 16 KiB, with nothing in it that PostgreSQL could not keep."""

    default_error_messages = {
        "not_an_object": "This must be a JSON object.",
        "too_large": "This may be at most 16 KiB of JSON.",
        "not_text": "This has a NUL or half a surrogate pair in it, which cannot be kept.",
        "too_deep": "This may be nested at most 32 levels deep.",
        "not_finite": "This has a number that JSON does not know.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if _is_deeper(data, _METADATA_DEPTH):
            self.fail("too_deep")
        try:
            text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
            size = len(text.encode())
        except UnicodeEncodeError:
            self.fail("not_text")
        except ValueError:
            self.fail("not_finite")
        if size > METADATA_BYTES:
            self.fail("too_large")
        if "\\u0000" in text.replace("\\\\", ""):
            self.fail("not_text")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


class ChatSerializer(StrictSerializer):
    """`message` 1–32,000 characters; the rest optional, and null is as good as absent."""

    message = StrictCharField(
        max_length=MESSAGE_LENGTH,
        trim_whitespace=False,
        error_messages={
            "required": "Send the user's message.",
            "null": "Send the user's message.",
            "blank": "The message is empty.",
            "max_length": "The message may have at most 32,000 characters.",
        },
    )
    conversationId = StrictCharField(required=False, allow_null=True, max_length=64)  # noqa: N815
    stream = StrictBooleanField(required=False, allow_null=True, default=None)
    metadata = MetadataField(required=False, allow_null=True)

    def validate_message(self, message: str) -> str:
        """Refuse a message of nothing but white space."""
        if not message.strip():
            raise serializers.ValidationError("The message is empty.")
        return message
