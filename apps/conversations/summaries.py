"""Summaries of conversations, as lists show them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, QuerySet, Subquery
from django.db.models.functions import Left

from apps.conversations.filters import (
    last_turn_id,
    leads_of_conversation,
    messages_of_conversation,
)
from apps.conversations.models import Conversation, Rating, Turn
from apps.conversations.queries import conversations_for, messages_in
from apps.core.text import is_visible, without_direction_controls

PREVIEW_LENGTH = 160
"""Characters of the first message that a list shows."""


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation with the start of its first message, its last turn and its ratings."""

    conversation: Conversation
    preview: str
    turn: Turn | None
    has_lead: bool
    ups: int
    downs: int

    @property
    def title(self) -> str:
        """The title, or else the preview, or else the id."""
        return self.conversation.title or _shown(self.preview) or self.conversation.id


def with_summary_fields(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """Annotate the fields that `load_summaries` reads."""
    first = messages_of_conversation().order_by("created_at", "id")
    return conversations.annotate(
        preview=Subquery(first.values(preview=Left("text", PREVIEW_LENGTH))[:1]),
        last_turn_id=last_turn_id(),
        has_lead=Exists(leads_of_conversation()),
    )


def load_summaries(conversations: Sequence[Conversation]) -> list[ConversationSummary]:
    """Return the summaries of rows of `with_summary_fields`, with two more SQL statements."""
    turn_ids = [conversation.last_turn_id for conversation in conversations]  # type: ignore[attr-defined]
    turns = {turn.id: turn for turn in Turn.objects.filter(id__in=filter(None, turn_ids))}
    ratings: dict[str, list[str]] = {}
    for conversation_id, value in Rating.objects.filter(conversation__in=conversations).values_list(
        "conversation_id", "value"
    ):
        ratings.setdefault(conversation_id, []).append(value)
    return [
        ConversationSummary(
            conversation,
            conversation.preview or "",  # type: ignore[attr-defined]
            turns.get(turn_id),
            conversation.has_lead,  # type: ignore[attr-defined]
            ups=ratings.get(conversation.id, []).count("up"),
            downs=ratings.get(conversation.id, []).count("down"),
        )
        for conversation, turn_id in zip(conversations, turn_ids, strict=True)
    ]


def get_summary(conversation: Conversation) -> ConversationSummary:
    """Return the summary of one conversation."""
    row = conversations_for(conversation.workspace_id).filter(id=conversation.id)
    return load_summaries(list(with_summary_fields(row)))[0]


def display_name(conversation: Conversation) -> str:
    """Return the title, or else the start of the first message, or else the id."""
    if conversation.title:
        return str(conversation.title)
    first = messages_in(conversation).first()
    return _shown(first.text[:PREVIEW_LENGTH] if first else "") or conversation.id


def _shown(preview: str) -> str:
    """A visitor's text as it stands for a conversation's title; empty if nothing can be seen."""
    return without_direction_controls(preview) if is_visible(preview) else ""
