"""Turns of a conversation with their messages and figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.conversations.models import Conversation, Message, Rating, Role, Turn, TurnStatus


@dataclass(frozen=True, slots=True)
class Exchange:
    """A turn with its user message and its answer."""

    turn: Turn
    user_message: Message | None
    assistant_message: Message | None

    @property
    def is_running(self) -> bool:
        return self.turn.status == TurnStatus.RUNNING

    @property
    def rating(self) -> Rating | None:
        return getattr(self.assistant_message, "rating", None)

    @property
    def metadata(self) -> str:
        """The user message's metadata as indented JSON, or an empty string."""
        if self.user_message is None or self.user_message.metadata is None:
            return ""
        return json.dumps(self.user_message.metadata, ensure_ascii=False, indent=2)


def turns_for(conversation: Conversation) -> QuerySet[Turn]:
    """The conversation's turns, with their API keys."""
    turns = Turn.objects.filter(workspace_id=conversation.workspace_id, conversation=conversation)
    return turns.select_related("api_key")


def build_exchanges(turns: Sequence[Turn]) -> list[Exchange]:
    """The turns with their messages, in one query."""
    rows = Message.objects.filter(turn__in=turns).select_related("rating")
    messages = {(message.turn_id, message.role): message for message in rows}
    return [
        Exchange(turn, messages.get((turn.id, Role.USER)), messages.get((turn.id, Role.ASSISTANT)))
        for turn in turns
    ]
