"""The body of a chat request."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api_kit.serializers import StrictBooleanField, StrictCharField, StrictSerializer
from apps.core.json_limits import validate_json_object
from apps.leads.capture import parse_lead_metadata

MAX_MESSAGE_LENGTH = 32_000


class MetadataField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of at most 16 KiB. Its `lead`, if any, is contact details of the visitor."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            metadata = validate_json_object(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None
        parse_lead_metadata(metadata)
        return metadata

    def to_representation(self, value: Any) -> Any:
        return value


class ChatSerializer(StrictSerializer):
    """`message` 1–32,000 characters; the rest optional, and null is as good as absent."""

    message = StrictCharField(
        max_length=MAX_MESSAGE_LENGTH,
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
