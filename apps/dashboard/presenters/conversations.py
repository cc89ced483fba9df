"""Turns of a conversation with their messages, sources and figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.conversations.models import Conversation, Message, Rating, Role, Turn, TurnStatus
from apps.dashboard.presenters.sources import (
    AnswerPart,
    ShownSource,
    load_sources,
    split_answer,
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A turn with its user message, its answer and the sources of the answer."""

    turn: Turn
    user_message: Message | None
    assistant_message: Message | None
    sources: Sequence[ShownSource] = ()

    @property
    def is_running(self) -> bool:
        return self.turn.status == TurnStatus.RUNNING

    @property
    def rating(self) -> Rating | None:
        return getattr(self.assistant_message, "rating", None)

    @property
    def answer_parts(self) -> list[AnswerPart]:
        """The text of the answer, with the numbers that cite its sources apart."""
        text = self.assistant_message.text if self.assistant_message else ""
        return split_answer(text, self.sources)

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
    """The turns with their messages, in one query, and their sources, in two if there are any."""
    rows = Message.objects.filter(turn__in=turns).select_related("rating")
    messages = {(message.turn_id, message.role): message for message in rows}
    answers = {id: message.text for (id, role), message in messages.items() if role != Role.USER}
    sources = load_sources(turns, answers)
    return [
        Exchange(
            turn,
            messages.get((turn.id, Role.USER)),
            messages.get((turn.id, Role.ASSISTANT)),
            sources.get(turn.id, ()),
        )
        for turn in turns
    ]
