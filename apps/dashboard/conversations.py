"""Conversations as the dashboard shows them: the list, and a thread turn by turn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left

from apps.conversations.models import Conversation, Message, Role, Turn, TurnStatus
from apps.core.ids import is_id
from apps.leads.models import Lead

FIRST_WORDS = 160
"""Characters of the first message that the list shows."""


def conversation_in(workspace_id: str, conversation_id: str) -> Conversation | None:
    """The workspace's conversation, with its chatbot."""
    if not is_id(conversation_id):
        return None
    found = Conversation.objects.filter(workspace_id=workspace_id, id=conversation_id)
    return found.select_related("chatbot").first()


def conversations_of(
    workspace_id: str,
    *,
    q: str | None = None,
    chatbot_id: str | None = None,
    status: str | None = None,
    has_lead: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[Conversation]:
    """The workspace's conversations that match everything that is given, with their chatbots.

    `q` is the id of a conversation, or of a turn or a message in it; `status` that of the last
    turn; `has_lead` is yes or no; the days are those of the last message.
    """
    found = Conversation.objects.filter(workspace_id=workspace_id).select_related("chatbot")
    if q is not None:
        found = found.filter(id__in=_places_of(workspace_id, q))
    if chatbot_id is not None:
        found = found.filter(chatbot_id=chatbot_id)
    if since is not None:
        found = found.filter(last_message_at__gte=since)
    if before is not None:
        found = found.filter(last_message_at__lt=before)
    if has_lead == "yes":
        leads = Lead.objects.filter(workspace_id=workspace_id, conversation__isnull=False)
        found = found.filter(id__in=leads.values("conversation_id"))
    if has_lead == "no":
        found = found.exclude(_HAS_LEAD)
    if status is not None:
        found = _ending(found, workspace_id, status)
    return found


def _places_of(workspace_id: str, id: str) -> list[str]:
    """The conversations that an id may mean: one at most."""
    turns = Turn.objects.filter(workspace_id=workspace_id, id=id).values_list("conversation_id")
    messages = Message.objects.filter(workspace_id=workspace_id, id=id)
    rows = turns.union(messages.values_list("conversation_id"))
    return [id, *(conversation_id for (conversation_id,) in rows)]


def _ending(
    found: QuerySet[Conversation], workspace_id: str, status: str
) -> QuerySet[Conversation]:
    """Those whose last turn has this status. Rare ones are found by their turns, not one by one."""
    if status != TurnStatus.COMPLETED:
        turns = Turn.objects.filter(workspace_id=workspace_id, status=status)
        found = found.filter(id__in=turns.values("conversation_id"))
    last = Turn.objects.filter(id=OuterRef("last_turn_id"), status=status)
    return found.alias(last_turn_id=_LAST_TURN_ID).filter(Exists(last))


_MESSAGES = Message.objects.filter(
    workspace_id=OuterRef("workspace_id"), conversation_id=OuterRef("pk")
)
_LAST_TURN_ID = Subquery(_MESSAGES.order_by("-created_at", "-id").values("turn_id")[:1])
_FIRST_WORDS = Subquery(
    _MESSAGES.order_by("created_at", "id").values(words=Left("text", FIRST_WORDS))[:1]
)
_HAS_LEAD = Exists(
    Lead.objects.filter(workspace_id=OuterRef("workspace_id"), conversation_id=OuterRef("pk"))
)


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation in the list: how it began, and the turn that was last."""

    conversation: Conversation
    words: str
    turn: Turn | None
    has_lead: bool


def with_beginnings(found: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """The same, each with what `rows_of` needs to know of its messages."""
    return found.annotate(words=_FIRST_WORDS, last_turn_id=_LAST_TURN_ID, has_lead=_HAS_LEAD)


def rows_of(conversations: Sequence[Conversation]) -> list[Row]:
    """The rows of a page of `with_beginnings`: one statement more, however many."""
    turn_ids = [conversation.last_turn_id for conversation in conversations]  # type: ignore[attr-defined]
    turns = {turn.id: turn for turn in Turn.objects.filter(id__in=filter(None, turn_ids))}
    return [
        Row(
            conversation,
            conversation.words or "",  # type: ignore[attr-defined]
            turns.get(turn_id),
            conversation.has_lead,  # type: ignore[attr-defined]
        )
        for conversation, turn_id in zip(conversations, turn_ids, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A turn in a thread: what was said, what was answered, and the receipt."""

    turn: Turn
    said: Message | None
    answer: Message | None

    @property
    def is_running(self) -> bool:
        return self.turn.status == TurnStatus.RUNNING

    @property
    def metadata(self) -> str:
        """What the caller sent beside the message, as text."""
        if self.said is None or self.said.metadata is None:
            return ""
        return json.dumps(self.said.metadata, ensure_ascii=False, indent=2)

    @property
    def released(self) -> int:
        """Credits that were held and not charged."""
        return 0 if self.is_running else self.turn.credits_held - self.turn.credits_charged

    @property
    def first_token_ms(self) -> int | None:
        return self._milliseconds(self.turn.first_token_at)

    @property
    def total_ms(self) -> int | None:
        return self._milliseconds(self.turn.settled_at)

    def _milliseconds(self, moment: datetime | None) -> int | None:
        if moment is None:
            return None
        return max(0, round((moment - self.turn.created_at).total_seconds() * 1000))


def turns_of(conversation: Conversation) -> QuerySet[Turn]:
    """A conversation's turns, with their keys."""
    found = Turn.objects.filter(workspace_id=conversation.workspace_id, conversation=conversation)
    return found.select_related("api_key")


def exchanges_of(turns: Sequence[Turn]) -> list[Exchange]:
    """The turns with their messages: one statement, however many."""
    found = Message.objects.filter(turn__in=turns)
    messages = {(message.turn_id, message.role): message for message in found}
    return [
        Exchange(turn, messages.get((turn.id, Role.USER)), messages.get((turn.id, Role.ASSISTANT)))
        for turn in turns
    ]
