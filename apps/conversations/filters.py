"""Filter a workspace's conversations.

Every filter keeps the order of the list, newest first by `sort_time`, so that a page is read from
an index: of all conversations, of a chatbot, of a source, or of the turns that were not completed.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from apps.conversations.models import Conversation, Message, Passage, Rating, Turn, TurnStatus
from apps.conversations.queries import conversations_for
from apps.conversations.search import find_search_documents
from apps.core.ids import is_id

RatedFilter = Literal["up", "down", "any", "none"]


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
    """Return the workspace's conversations that match all given filters.

    Callers order them by `-sort_time, -id`. `search` is text, each word of which must begin a word
    of one message or of the title, or the id of a conversation, turn or message. `status` is that
    of the last turn. `since` (inclusive) and `before` (exclusive) bound the last message.
    """
    conversations = conversations_for(workspace_id)
    if search is not None:
        conversations = conversations.filter(id__in=_search(workspace_id, search))
    if chatbot_id is not None:
        conversations = conversations.filter(chatbot_id=chatbot_id)
    if source is not None:
        conversations = conversations.filter(source=source)
    if since is not None:
        conversations = conversations.filter(last_message_at__gte=since)
    if before is not None:
        conversations = conversations.filter(last_message_at__lt=before)
    if has_lead is not None:
        conversations = _filter_by_lead(conversations, workspace_id, has_lead)
    if rated is not None:
        conversations = _filter_by_rating(conversations, workspace_id, rated)
    return _filter_by_status(conversations, workspace_id, status)


def _search(workspace_id: str, text: str) -> list[str] | QuerySet[Passage]:
    if is_id(text):
        return _conversation_ids_for_id(workspace_id, text)
    documents = find_search_documents(workspace_id, text)
    return documents.values("conversation_id")  # type: ignore[return-value]


def _conversation_ids_for_id(workspace_id: str, id: str) -> list[str]:
    """Return the conversation ids that an id of unknown kind may stand for; at most one exists."""
    turns = Turn.objects.filter(workspace_id=workspace_id, id=id).values_list("conversation_id")
    messages = Message.objects.filter(workspace_id=workspace_id, id=id)
    rows = turns.union(messages.values_list("conversation_id"))
    return [id, *(conversation_id for (conversation_id,) in rows)]


_lead_query: Callable[[], QuerySet[Any]] | None = None


def register_lead_query(query: Callable[[], QuerySet[Any]]) -> None:
    """Set the query for leads: rows with `id`, `workspace_id` and `conversation_id`.

    The leads app calls this when it starts: it depends on this app and must not be imported here.
    """
    global _lead_query
    _lead_query = query


def leads_of_conversation() -> QuerySet[Any]:
    """Return the leads of the conversation of the outer query."""
    return _leads().filter(conversation_id=OuterRef("pk"))


def _leads() -> QuerySet[Any]:
    assert _lead_query is not None, "the leads app is not installed"  # noqa: S101
    return _lead_query()


def _filter_by_lead(
    conversations: QuerySet[Conversation], workspace_id: str, has_lead: bool
) -> QuerySet[Conversation]:
    if has_lead:
        leads = _leads().filter(workspace_id=workspace_id, conversation_id__isnull=False)
        return conversations.filter(id__in=leads.values("conversation_id"))
    # A scalar subquery runs once per row, in the order of the list. NOT EXISTS would become an
    # anti-join over all conversations.
    lead_id = Subquery(leads_of_conversation().values("id")[:1])
    return conversations.alias(lead_id=lead_id).filter(lead_id=None)


def _filter_by_rating(
    conversations: QuerySet[Conversation], workspace_id: str, rated: RatedFilter
) -> QuerySet[Conversation]:
    ratings = Rating.objects.filter(workspace_id=workspace_id)
    if rated == "none":
        return conversations.filter(~Exists(ratings.filter(conversation_id=OuterRef("pk"))))
    if rated != "any":
        ratings = ratings.filter(value=rated)
    return conversations.filter(id__in=ratings.values("conversation_id"))


def _filter_by_status(
    conversations: QuerySet[Conversation], workspace_id: str, status: str | None
) -> QuerySet[Conversation]:
    """Filter by the status of the last turn and annotate `sort_time`.

    Nearly all turns are completed. Those that are not are found by an index of the others, newest
    first, so that `sort_time` is the turn's time there.
    """
    if status is None or status == TurnStatus.COMPLETED:
        conversations = conversations.annotate(sort_time=F("last_message_at"))
        if status is None:
            return conversations
        last_turn = Turn.objects.filter(id=OuterRef("last_turn_id"), status=status)
        return conversations.alias(last_turn_id=last_turn_id()).filter(Exists(last_turn))
    later_turns = Turn.objects.filter(
        workspace_id=workspace_id,
        conversation_id=OuterRef("pk"),
        created_at__gt=OuterRef("sort_time"),
    )
    return (
        conversations.filter(turns__workspace_id=workspace_id, turns__status=status)
        .annotate(sort_time=F("turns__created_at"))
        .filter(~Exists(later_turns))
    )


def messages_of_conversation() -> QuerySet[Message]:
    """Return the messages of the conversation of the outer query."""
    return Message.objects.filter(
        workspace_id=OuterRef("workspace_id"), conversation_id=OuterRef("pk")
    )


def last_turn_id() -> Subquery:
    """Return the id of the last turn of the conversation of the outer query."""
    newest_first = messages_of_conversation().order_by("-created_at", "-id")
    return Subquery(newest_first.values("turn_id")[:1])
