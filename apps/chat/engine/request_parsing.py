"""Parse a chat request, the same for every transport."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from apps.api_kit.serializers import (
    StrictBooleanField,
    StrictCharField,
    StrictSerializer,
    validate,
)
from apps.core.errors import ValidationFailed
from apps.core.json_limits import validate_json_object
from apps.leads.capture import parse_lead_metadata
from apps.llm.types import ChatMessage

MAX_IDEMPOTENCY_KEY_LENGTH = 255
MAX_MESSAGE_LENGTH = 32_000


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A valid chat request.

    `stream`: None leaves it to the chatbot's default. `history`: earlier messages, where the
    caller keeps them; the model is shown these instead of the stored conversation.
    """

    message: str
    conversation_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    stream: bool | None = None
    idempotency_key: str | None = None
    history: tuple[ChatMessage, ...] | None = None

    def digest(self, chatbot_id: str) -> str:
        """A hash of the request: an idempotency key may only be used again with the same one."""
        parts: list[Any] = [
            chatbot_id,
            self.message,
            self.conversation_id,
            self.metadata,
            self.stream,
        ]
        if self.history is not None:
            parts.append([[message.role, message.content] for message in self.history])
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class MetadataField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object of at most 16 KiB. Its `lead`, if any, holds contact details to capture."""

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
    """`message` of 1–32,000 characters; the rest is optional, and null counts as absent."""

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
        """Reject a message of white space alone."""
        if not message.strip():
            raise serializers.ValidationError("The message is empty.")
        return message


def parse_request(
    body: Any,
    idempotency_key: str | None,
    *,
    key_name: str,
    serializer: type[ChatSerializer] = ChatSerializer,
) -> ParsedRequest:
    """Validate a body and an idempotency key. `key_name`: what the transport calls that key.

    Raises ValidationFailed, or DRF's ValidationError.
    """
    fields = validate(serializer, body)
    if idempotency_key is not None and not _is_idempotency_key(idempotency_key):
        raise ValidationFailed({key_name: ["This must be 1 to 255 printable characters."]})
    return ParsedRequest(
        message=fields["message"],
        conversation_id=fields.get("conversationId"),
        metadata=fields.get("metadata"),
        stream=fields.get("stream"),
        idempotency_key=idempotency_key,
    )


def _is_idempotency_key(key: str) -> bool:
    return 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH and key.isprintable()
