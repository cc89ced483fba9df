"""From what a caller sent to what it asks of the engine, the same for every edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.api_kit.callers import Caller
from apps.api_kit.serializers import validate
from apps.chat.engine.serializers import ChatSerializer
from apps.chat.engine.start import ChatRequest
from apps.chatbots.models import Chatbot
from apps.core.errors import ValidationFailed

MAX_IDEMPOTENCY_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """A valid request to chat, before it is known who asks whom."""

    message: str
    conversation_id: str | None
    metadata: Mapping[str, Any] | None
    stream: bool | None
    idempotency_key: str | None

    def of(self, caller: Caller, chatbot: Chatbot, *, request_id: str) -> ChatRequest:
        """The request as the engine takes it."""
        return ChatRequest(
            workspace_id=caller.workspace_id,
            chatbot=chatbot,
            message=self.message,
            request_id=request_id,
            conversation_id=self.conversation_id,
            metadata=self.metadata,
            stream=self.stream,
            idempotency_key=self.idempotency_key,
            api_key_id=caller.api_key_id,
        )


def parse_request(
    body: Any,
    idempotency_key: str | None,
    *,
    key_name: str,
    serializer: type[ChatSerializer] = ChatSerializer,
) -> ParsedRequest:
    """What the body and the idempotency key ask. `key_name`: what the edge calls that key.

    Raises ValidationFailed or the serializer's own error.
    """
    fields = validate(serializer, body)
    return ParsedRequest(
        message=fields["message"],
        conversation_id=fields.get("conversationId"),
        metadata=fields.get("metadata"),
        stream=fields.get("stream"),
        idempotency_key=_checked(idempotency_key, key_name),
    )


def _checked(key: str | None, name: str) -> str | None:
    if key is not None and not (1 <= len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH and key.isprintable()):
        raise ValidationFailed({name: ["This must be 1 to 255 printable characters."]})
    return key
