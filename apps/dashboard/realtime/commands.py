"""Commands of the dashboard's WebSocket: JSON objects with a `type`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.api_kit.serializers import StrictCharField, StrictSerializer
from apps.core.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class WatchConversation:
    """Send the conversation's messages and turns from now on, or those after a message's id."""

    conversation_id: str
    after: str | None


@dataclass(frozen=True, slots=True)
class UnwatchConversation:
    """Stop sending the conversation."""

    conversation_id: str


@dataclass(frozen=True, slots=True)
class WatchCounters:
    """Send the workspace's counters, now and whenever they change."""


Command = WatchConversation | UnwatchConversation | WatchCounters


def parse_command(payload: Mapping[str, Any]) -> Command:
    """Parse a client's message. Raises ValidationFailed or a serializer's ValidationError."""
    fields = {name: value for name, value in payload.items() if name not in ("type", "requestId")}
    match payload.get("type"):
        case "conversation.watch":
            return WatchConversation(**_validate(WatchSerializer(data=fields)))
        case "conversation.unwatch":
            return UnwatchConversation(**_validate(UnwatchSerializer(data=fields)))
        case "counters.watch":
            _validate(StrictSerializer(data=fields))
            return WatchCounters()
        case _:
            problem = "This must be conversation.watch, conversation.unwatch or counters.watch."
            raise ValidationFailed({"type": [problem]})


class UnwatchSerializer(StrictSerializer):
    """The fields of `conversation.unwatch`."""

    conversationId = StrictCharField(source="conversation_id", max_length=64)  # noqa: N815


class WatchSerializer(UnwatchSerializer):
    """The fields of `conversation.watch`."""

    after = StrictCharField(max_length=64, allow_null=True, default=None)


def _validate(serializer: StrictSerializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
