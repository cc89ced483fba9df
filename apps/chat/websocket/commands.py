"""What a client says on a WebSocket: JSON objects, told apart by their `type`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from apps.api_kit.serializers import StrictCharField, StrictSerializer, validate
from apps.chat.engine.request_parsing import ParsedRequest, parse_request
from apps.chat.engine.serializers import ChatSerializer
from apps.core.errors import ValidationFailed

MAX_REQUEST_ID_LENGTH = 64
_EVENT_NUMBERS = 10**9


@dataclass(frozen=True, slots=True)
class ChatSend:
    """Open a turn and tell it."""

    asked: ParsedRequest


@dataclass(frozen=True, slots=True)
class TurnStop:
    """Stop a turn and tell how it ended."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class TurnFollow:
    """Tell a turn's events after this number."""

    turn_id: str
    after: int


Command = ChatSend | TurnStop | TurnFollow


def parse_message(text: str | None) -> dict[str, Any]:
    """The JSON object in a message. Raises ValidationFailed for anything else; None is binary."""
    if text is None:
        raise ValidationFailed(message="Send text messages: binary ones are not read.")
    try:
        words = json.loads(text)
    except (ValueError, RecursionError):
        raise ValidationFailed(message="The message is not valid JSON.") from None
    if not isinstance(words, dict):
        raise ValidationFailed(message="The message is not a JSON object.")
    return words


def parse_request_id(words: Mapping[str, Any]) -> str | None:
    """What the client calls this request, if anything. Raises ValidationFailed."""
    value = words.get("requestId")
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_REQUEST_ID_LENGTH or not _is_text(value):
        problem = f"This must be a string of at most {MAX_REQUEST_ID_LENGTH} characters."
        raise ValidationFailed({"requestId": [problem]})
    return value


def parse_command(words: Mapping[str, Any]) -> Command:
    """What the client wants. Raises ValidationFailed or a serializer's error."""
    fields = {name: value for name, value in words.items() if name not in ("type", "requestId")}
    match words.get("type"):
        case "chat.send":
            key = fields.pop("idempotencyKey", None)
            if not isinstance(key, str | None):
                raise ValidationFailed({"idempotencyKey": ["This must be a string."]})
            return ChatSend(
                parse_request(fields, key, key_name="idempotencyKey", serializer=ChatSendSerializer)
            )
        case "turn.stop":
            return TurnStop(**validate(TurnStopSerializer, fields))
        case "turn.follow":
            return TurnFollow(**validate(TurnFollowSerializer, fields))
        case _:
            problem = "This must be chat.send, turn.stop or turn.follow."
            raise ValidationFailed({"type": [problem]})


class ChatSendSerializer(ChatSerializer):
    """The body of the REST endpoint, without the choice between a stream and JSON."""

    stream = None  # type: ignore[assignment]


class EventNumberField(serializers.Field[int, Any, int, Any]):
    """The number of an event, 0 for none."""

    default_error_messages = {"invalid": "This must be the id of an event: a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data < _EVENT_NUMBERS:
            self.fail("invalid")
        return data

    def to_representation(self, value: int) -> int:
        return value


class TurnStopSerializer(StrictSerializer):
    """Which turn."""

    turnId = StrictCharField(source="turn_id", max_length=64)  # noqa: N815


class TurnFollowSerializer(TurnStopSerializer):
    """Which turn, and after which of its events."""

    after = EventNumberField(default=0)


def _is_text(value: str) -> bool:
    """Whether it could be sent back: half a surrogate pair could not."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
