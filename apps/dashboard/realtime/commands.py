"""What a client says on the live socket: JSON objects, told apart by their `type`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.api_kit.serializers import StrictCharField, StrictSerializer
from apps.core.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class WatchConversation:
    """Tell what is said in a conversation from now on, or after the message `after`."""

    conversation_id: str
    after: str | None


@dataclass(frozen=True, slots=True)
class UnwatchConversation:
    """Tell no more of it."""

    conversation_id: str


@dataclass(frozen=True, slots=True)
class WatchCounters:
    """Tell the workspace's counters, now and when they change."""


Command = WatchConversation | UnwatchConversation | WatchCounters


def parse_command(words: Mapping[str, Any]) -> Command:
    """What the client wants. Raises ValidationFailed or a serializer's error."""
    fields = {name: value for name, value in words.items() if name not in ("type", "requestId")}
    match words.get("type"):
        case "conversation.watch":
            return WatchConversation(**_valid(WatchSerializer(data=fields)))
        case "conversation.unwatch":
            return UnwatchConversation(**_valid(ConversationSerializer(data=fields)))
        case "counters.watch":
            _valid(StrictSerializer(data=fields))
            return WatchCounters()
        case _:
            problem = "This must be conversation.watch, conversation.unwatch or counters.watch."
            raise ValidationFailed({"type": [problem]})


class ConversationSerializer(StrictSerializer):
    """Which conversation."""

    conversationId = StrictCharField(source="conversation_id", max_length=64)  # noqa: N815


class WatchSerializer(ConversationSerializer):
    """Which conversation, and after which of its messages."""

    after = StrictCharField(max_length=64, allow_null=True, default=None)


def _valid(serializer: StrictSerializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
