"""Parse the commands of a WebSocket: JSON objects with a `type`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from apps.api_kit.serializers import StrictCharField, StrictSerializer, validate
from apps.chat.engine.request_parsing import ChatSerializer, ParsedRequest, parse_request
from apps.core.errors import ValidationFailed
from apps.core.json_parsing import parse_json
from apps.core.text import is_encodable

MAX_REQUEST_ID_LENGTH = 64
_MAX_EVENT_NUMBER = 10**9


@dataclass(frozen=True, slots=True)
class ChatSend:
    """Start a turn and send its events."""

    request: ParsedRequest


@dataclass(frozen=True, slots=True)
class TurnStop:
    """Stop a turn and send how it ended."""

    turn_id: str


@dataclass(frozen=True, slots=True)
class TurnFollow:
    """Send a turn's events after this number."""

    turn_id: str
    after: int


Command = ChatSend | TurnStop | TurnFollow


def parse_message(text: str | None) -> dict[str, Any]:
    """The JSON object in a message; None is a binary one. Raises ValidationFailed."""
    if text is None:
        raise ValidationFailed(message="Send text messages: binary ones are not read.")
    message = parse_json(text, name="message")
    if not isinstance(message, dict):
        raise ValidationFailed(message="The message is not a JSON object.")
    return message


def parse_request_id(message: Mapping[str, Any]) -> str | None:
    """The client's own id of the request, if it has one. Raises ValidationFailed."""
    value = message.get("requestId")
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_REQUEST_ID_LENGTH or not is_encodable(value):
        problem = f"This must be a string of at most {MAX_REQUEST_ID_LENGTH} characters."
        raise ValidationFailed({"requestId": [problem]})
    return value


def parse_command(message: Mapping[str, Any]) -> Command:
    """The command in a message. Raises ValidationFailed or DRF's ValidationError."""
    fields = {name: value for name, value in message.items() if name not in ("type", "requestId")}
    match message.get("type"):
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
    """The body of the chat endpoint, without `stream`."""

    stream = None  # type: ignore[assignment]


class EventNumberField(serializers.Field[int, Any, int, Any]):
    """The number of an event; 0 is before the first."""

    default_error_messages = {"invalid": "This must be the id of an event: a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data < _MAX_EVENT_NUMBER:
            self.fail("invalid")
        return data

    def to_representation(self, value: int) -> int:
        return value


class TurnStopSerializer(StrictSerializer):
    """Fields of `turn.stop`."""

    turnId = StrictCharField(source="turn_id", max_length=64)  # noqa: N815


class TurnFollowSerializer(TurnStopSerializer):
    """Fields of `turn.follow`."""

    after = EventNumberField(default=0)
