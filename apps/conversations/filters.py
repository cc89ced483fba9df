"""The list of a workspace's conversations: what it can be narrowed to, and what it shows of each.

Every narrowing keeps the order, newest first by `moment`, so that a page is read from an index:
of all conversations, of a chatbot's, of a source's, or of the turns that did not end well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Left

from apps.conversations.models import Conversation, Message, Passage, Rating, Turn, TurnStatus
from apps.conversations.queries import conversations_for, messages_in
from apps.conversations.search import find_search_documents
from apps.core.ids import is_id

RatedFilter = Literal["up", "down", "any", "none"]

PREVIEW_LENGTH = 160
"""Characters of the first message that a list shows."""


def filter_conversations(
    workspace_id: str,
    *,
    search: str | None = None,
    chatbot_id: str | None = None,
    status: str | None = None,
    source: str | None = None,
    has_lead: bool | None = None,
    rated: RatedFilter | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
) -> QuerySet[Conversation]:
    """The workspace's conversations that match everything that is given, to be read in the order
    of `-moment, -id`.

    `search` is words, all of which are in one message or in the title, each at least as a word
    begins; or the id of a conversation, or of a turn or a message in it. `status` is that of the
    last turn; the days are those of the last message.
    """
    found = conversations_for(workspace_id)
    if search is not None:
        found = found.filter(id__in=_places_of(workspace_id, search))
    if chatbot_id is not None:
        found = found.filter(chatbot_id=chatbot_id)
    if source is not None:
        found = found.filter(source=source)
    if since is not None:
        found = found.filter(last_message_at__gte=since)
    if before is not None:
        found = found.filter(last_message_at__lt=before)
    if has_lead is not None:
        found = (_with_lead if has_lead else _without_lead)(found, workspace_id)
    if rated is not None:
        found = _rated(found, workspace_id, rated)
    return _ending(found, workspace_id, status)


def _places_of(workspace_id: str, search: str) -> list[str] | QuerySet[Passage]:
    if is_id(search):
        return _places_of_id(workspace_id, search)
    return find_search_documents(workspace_id, search).values("conversation_id")  # type: ignore[return-value]


def _places_of_id(workspace_id: str, id: str) -> list[str]:
    """The conversations that an id may mean: one at most."""
    turns = Turn.objects.filter(workspace_id=workspace_id, id=id).values_list("conversation_id")
    messages = Message.objects.filter(workspace_id=workspace_id, id=id)
    rows = turns.union(messages.values_list("conversation_id"))
    return [id, *(conversation_id for (conversation_id,) in rows)]


def _with_lead(found: QuerySet[Conversation], workspace_id: str) -> QuerySet[Conversation]:
    # Leads know conversations, not the other way round: they are reached by their own relation.
    leads = Conversation.objects.filter(workspace_id=workspace_id, leads__isnull=False)
    return found.filter(id__in=leads.values("id"))


def _without_lead(found: QuerySet[Conversation], workspace_id: str) -> QuerySet[Conversation]:
    # Asked of one row after the other, in the order of the list: joined, all of them would be.
    lead = Conversation.objects.filter(
        workspace_id=workspace_id, pk=OuterRef("pk"), leads__isnull=False
    )
    return found.alias(lead_id=Subquery(lead.values("leads__id")[:1])).filter(lead_id=None)


def _rated(
    found: QuerySet[Conversation], workspace_id: str, rated: RatedFilter
) -> QuerySet[Conversation]:
    ratings = Rating.objects.filter(workspace_id=workspace_id)
    if rated == "none":
        return found.filter(~Exists(ratings.filter(conversation_id=OuterRef("pk"))))
    if rated != "any":
        ratings = ratings.filter(value=rated)
    return found.filter(id__in=ratings.values("conversation_id"))


def _ending(
    found: QuerySet[Conversation], workspace_id: str, status: str | None
) -> QuerySet[Conversation]:
    """Those whose last turn has this status. Nearly all end well; the others are found by their
    turns, from the newest back, which is the order of the list."""
    if status is None or status == TurnStatus.COMPLETED:
        found = found.annotate(moment=F("last_message_at"))
        if status is None:
            return found
        last = Turn.objects.filter(id=OuterRef("last_turn_id"), status=status)
        return found.alias(last_turn_id=_LAST_TURN_ID).filter(Exists(last))
    later = Turn.objects.filter(
        workspace_id=workspace_id,
        conversation_id=OuterRef("pk"),
        created_at__gt=OuterRef("moment"),
    )
    return (
        found.filter(turns__workspace_id=workspace_id, turns__status=status)
        .annotate(moment=F("turns__created_at"))
        .filter(~Exists(later))
    )


_MESSAGES = Message.objects.filter(
    workspace_id=OuterRef("workspace_id"), conversation_id=OuterRef("pk")
)
_LAST_TURN_ID = Subquery(_MESSAGES.order_by("-created_at", "-id").values("turn_id")[:1])
_FIRST_WORDS = Subquery(
    _MESSAGES.order_by("created_at", "id").values(words=Left("text", PREVIEW_LENGTH))[:1]
)
_HAS_LEAD = Exists(Conversation.objects.filter(pk=OuterRef("pk"), leads__isnull=False))


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A conversation in a list: how it began, the turn that was last, how it was rated."""

    conversation: Conversation
    preview: str
    turn: Turn | None
    has_lead: bool
    ups: int
    downs: int

    @property
    def title(self) -> str:
        """What to call it: its title, or else how it began, or else its id."""
        return self.conversation.title or self.preview or self.conversation.id


def with_summary_fields(found: QuerySet[Conversation]) -> QuerySet[Conversation]:
    """The same, each with what `load_summaries` needs to know of its messages."""
    return found.annotate(words=_FIRST_WORDS, last_turn_id=_LAST_TURN_ID, has_lead=_HAS_LEAD)


def load_summaries(conversations: Sequence[Conversation]) -> list[ConversationSummary]:
    """The rows of a page of `with_summary_fields`: two statements more, however many."""
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
            conversation.words or "",  # type: ignore[attr-defined]
            turns.get(turn_id),
            conversation.has_lead,  # type: ignore[attr-defined]
            ups=ratings.get(conversation.id, []).count("up"),
            downs=ratings.get(conversation.id, []).count("down"),
        )
        for conversation, turn_id in zip(conversations, turn_ids, strict=True)
    ]


def display_name(conversation: Conversation) -> str:
    """What to call a conversation: its title, or else how it began, or else its id."""
    if conversation.title:
        return conversation.title
    first = messages_in(conversation).first()
    return (first.text[:PREVIEW_LENGTH] if first else "") or conversation.id


def get_summary(conversation: Conversation) -> ConversationSummary:
    """One conversation as a list shows it."""
    found = with_summary_fields(
        conversations_for(conversation.workspace_id).filter(id=conversation.id)
    )
    return load_summaries(list(found))[0]
