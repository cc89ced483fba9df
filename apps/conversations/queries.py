"""Queries for conversations, messages and turns of a workspace."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet, Sum

from apps.api_kit.pagination import paginate_oldest_first
from apps.conversations.errors import (
    ConversationNotFound,
    MessageNotAnAnswer,
    MessageNotFound,
    TurnNotFound,
)
from apps.conversations.models import Conversation, Message, Role, Turn, TurnStatus
from apps.core.ids import request_id_time
from apps.infrastructure.postgres.rows import first_or_raise

HISTORY_STATUSES = (TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.ABANDONED)
"""Statuses of turns that may have an answer, which belongs to the history sent to the model."""


def conversations_for(workspace_id: str) -> QuerySet[Conversation]:
    """Return the workspace's conversations that are not deleted."""
    return Conversation.objects.filter(workspace_id=workspace_id, deleted_at__isnull=True)


def get_conversation(
    workspace_id: str, conversation_id: str, *, chatbot_id: str | None = None
) -> Conversation:
    """Return the workspace's conversation (with this chatbot). Raises ConversationNotFound."""
    conversations = conversations_for(workspace_id).filter(id=conversation_id)
    if chatbot_id is not None:
        conversations = conversations.filter(chatbot_id=chatbot_id)
    return first_or_raise(conversations, ConversationNotFound)


def messages_in(conversation: Conversation) -> QuerySet[Message]:
    """Return the messages of a conversation, oldest first."""
    return Message.objects.filter(
        workspace_id=conversation.workspace_id, conversation=conversation
    ).order_by("created_at", "id")


def get_message_page(
    conversation: Conversation, *, cursor: str | None, limit: int
) -> tuple[list[Message], str | None]:
    """Return a page of messages with turns and ratings, oldest first, and the next page's cursor.

    Raises ValidationFailed for an invalid cursor.
    """
    messages = messages_in(conversation).select_related("turn", "rating")
    page = paginate_oldest_first(messages, cursor=cursor, limit=limit)
    return page.rows, page.next_cursor


def newest_message(conversation: Conversation) -> Message | None:
    """Return the last message of a conversation."""
    return messages_in(conversation).last()


def find_message(conversation: Conversation, message_id: str) -> Message | None:
    """Return the message with this id, None if it is not in the conversation."""
    return messages_in(conversation).filter(id=message_id).first()


def get_answer(conversation: Conversation, message_id: str) -> Message:
    """Return the assistant's message. Raises MessageNotFound or MessageNotAnAnswer."""
    message = find_message(conversation, message_id)
    if message is None:
        raise MessageNotFound
    if message.role != Role.ASSISTANT:
        raise MessageNotAnAnswer
    return message


def messages_since(
    conversation: Conversation, after: Message | None, *, limit: int
) -> list[Message]:
    """Return the messages after the given one, or from the start, oldest first, with turns."""
    messages = messages_in(conversation).select_related("turn")
    if after is not None:
        messages = messages.filter(created_at__gte=after.created_at).exclude(
            created_at=after.created_at, id__lte=after.id
        )
    return list(messages[:limit])


def find_running_turn(conversation: Conversation) -> Turn | None:
    """Return the running turn of a conversation, None if there is none."""
    return running_turns_for(conversation.workspace_id).filter(conversation=conversation).first()


def fetch_last_message_times(
    keys: Collection[tuple[str, str]],
) -> Mapping[tuple[str, str], datetime]:
    """Return when a turn last opened in each conversation, by workspace id and conversation id."""
    rows = Conversation.objects.filter(
        workspace_id__in={workspace_id for workspace_id, _ in keys},
        id__in={conversation_id for _, conversation_id in keys},
        deleted_at__isnull=True,
    ).values_list("workspace_id", "id", "last_message_at")
    return {(workspace_id, id): time for workspace_id, id, time in rows}


def count_running_turns(workspace_ids: Collection[str]) -> Mapping[str, int]:
    """Count the running turns of each workspace; workspaces without any are left out."""
    return _count_by_workspace(Turn.objects.filter(status=TurnStatus.RUNNING), workspace_ids)


def count_turns_since(workspace_ids: Collection[str], since: datetime) -> Mapping[str, int]:
    """Count the turns of each workspace that opened after `since`."""
    return _count_by_workspace(Turn.objects.filter(created_at__gt=since), workspace_ids)


def _count_by_workspace(turns: QuerySet[Turn], workspace_ids: Collection[str]) -> Mapping[str, int]:
    rows = turns.filter(workspace_id__in=workspace_ids).values_list("workspace_id")
    return dict(rows.annotate(Count("id")).order_by())


def get_turn(workspace_id: str, turn_id: str, *, chatbot_id: str) -> Turn:
    """Return the turn, in a conversation that is not deleted. Raises TurnNotFound."""
    turns = Turn.objects.filter(workspace_id=workspace_id, chatbot_id=chatbot_id, id=turn_id)
    return first_or_raise(turns.filter(conversation__deleted_at__isnull=True), TurnNotFound)


def find_turn_by_request_id(workspace_id: str, request_id: str) -> Turn | None:
    """Return the turn that this request opened, with its API key and chatbot.

    The id contains the time of arrival, so only turns of the minutes around it are read: clocks
    differ between machines, and a request may have waited before its turn opened.
    """
    time = request_id_time(request_id)
    if time is None:
        return None
    time_range = (time - timedelta(minutes=1), time + timedelta(minutes=2))
    turns = Turn.objects.filter(workspace_id=workspace_id, created_at__range=time_range)
    return turns.filter(request_id=request_id).select_related("api_key", "chatbot").first()


def running_turns_for(workspace_id: str) -> QuerySet[Turn]:
    """Return the running turns of a workspace."""
    return Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING)


def turns_since(workspace_id: str, since: datetime) -> QuerySet[Turn]:
    """Return the workspace's turns that opened at `since` or later."""
    return Turn.objects.filter(workspace_id=workspace_id, created_at__gte=since)


def get_answer_text(turn: Turn) -> str:
    """Return the text of a settled turn's answer, "" if it has none."""
    text = Message.objects.filter(
        workspace_id=turn.workspace_id, turn=turn, id=turn.message_id
    ).values_list("text", flat=True)
    return text.first() or ""


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """Turns opened with an API key and the credits charged for them."""

    turns: int
    credits: int


def count_turns_by_chatbot(workspace_id: str, *, since: datetime) -> dict[str, int]:
    """Count the turns of each chatbot since a time, by chatbot id."""
    rows = turns_since(workspace_id, since).values("chatbot_id").annotate(turns=Count("id"))
    return {row["chatbot_id"]: row["turns"] for row in rows}


def usage_by_api_key(workspace_id: str, *, since: datetime) -> dict[str, KeyUsage]:
    """Return the usage of each API key since a time, by API key id."""
    rows = turns_since(workspace_id, since).exclude(api_key=None).values("api_key_id")
    return {
        row["api_key_id"]: KeyUsage(row["turns"], row["credits"])
        for row in rows.annotate(turns=Count("id"), credits=Sum("credits_charged"))
    }
