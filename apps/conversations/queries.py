"""Reads of conversations, messages and turns. Each takes its workspace."""

from __future__ import annotations

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

# Whole exchanges: the turns that left an answer which the model may be shown again.
HISTORY_STATUSES = (TurnStatus.COMPLETED, TurnStatus.STOPPED, TurnStatus.ABANDONED)


def conversations_for(workspace_id: str) -> QuerySet[Conversation]:
    """The workspace's conversations that are not deleted. Every other read begins here."""
    return Conversation.objects.filter(workspace_id=workspace_id, deleted_at__isnull=True)


def get_conversation(
    workspace_id: str, conversation_id: str, *, chatbot_id: str | None = None
) -> Conversation:
    """The workspace's conversation (with this chatbot). Raises ConversationNotFound."""
    found = conversations_for(workspace_id).filter(id=conversation_id)
    if chatbot_id is not None:
        found = found.filter(chatbot_id=chatbot_id)
    conversation = found.first()
    if conversation is None:
        raise ConversationNotFound
    return conversation


def messages_in(conversation: Conversation) -> QuerySet[Message]:
    """A conversation's messages, oldest first."""
    return Message.objects.filter(
        workspace_id=conversation.workspace_id, conversation=conversation
    ).order_by("created_at", "id")


def get_message_page(
    conversation: Conversation, *, cursor: str | None, limit: int
) -> tuple[list[Message], str | None]:
    """A page of a conversation, oldest first, with ratings, and the cursor of the next page if
    there is one.

    Raises ValidationFailed for what is no cursor.
    """
    messages = messages_in(conversation).select_related("rating")
    page = paginate_oldest_first(messages, cursor=cursor, limit=limit)
    return page.rows, page.next_cursor


def newest_message(conversation: Conversation) -> Message | None:
    """The conversation's last message so far."""
    return messages_in(conversation).last()


def find_message(conversation: Conversation, message_id: str) -> Message | None:
    """The conversation's message of this id."""
    return messages_in(conversation).filter(id=message_id).first()


def get_answer(conversation: Conversation, message_id: str) -> Message:
    """The conversation's message of this id, said by the assistant.

    Raises MessageNotFound, or MessageNotAnAnswer.
    """
    message = find_message(conversation, message_id)
    if message is None:
        raise MessageNotFound
    if message.role != Role.ASSISTANT:
        raise MessageNotAnAnswer
    return message


def messages_since(
    conversation: Conversation, after: Message | None, *, limit: int
) -> list[Message]:
    """The conversation's next messages after one, or from the first, oldest first, each with its
    turn."""
    found = messages_in(conversation).select_related("turn")
    if after is not None:
        found = found.filter(created_at__gte=after.created_at).exclude(
            created_at=after.created_at, id__lte=after.id
        )
    return list(found[:limit])


def find_running_turn(conversation: Conversation) -> Turn | None:
    """The conversation's turn that runs, if one does."""
    return Turn.objects.filter(
        workspace_id=conversation.workspace_id, conversation=conversation, status=TurnStatus.RUNNING
    ).first()


def fetch_last_message_times(
    places: Collection[tuple[str, str]],
) -> Mapping[tuple[str, str], datetime]:
    """When a turn last opened in each of these conversations, named by workspace and id."""
    found = Conversation.objects.filter(
        workspace_id__in={workspace_id for workspace_id, _ in places},
        id__in={conversation_id for _, conversation_id in places},
        deleted_at__isnull=True,
    ).values_list("workspace_id", "id", "last_message_at")
    return {(workspace_id, id): moment for workspace_id, id, moment in found}


def count_running_turns(workspace_ids: Collection[str]) -> Mapping[str, int]:
    """How many turns run in each of these workspaces; those with none are left out."""
    return _counts(Turn.objects.filter(status=TurnStatus.RUNNING), workspace_ids)


def count_turns_since(workspace_ids: Collection[str], moment: datetime) -> Mapping[str, int]:
    """How many turns have opened since then in each of these workspaces."""
    return _counts(Turn.objects.filter(created_at__gt=moment), workspace_ids)


def _counts(turns: QuerySet[Turn], workspace_ids: Collection[str]) -> Mapping[str, int]:
    counted = turns.filter(workspace_id__in=workspace_ids).values_list("workspace_id")
    return dict(counted.annotate(Count("id")).order_by())


def get_turn(workspace_id: str, turn_id: str, *, chatbot_id: str) -> Turn:
    """The workspace's turn with this chatbot, in a conversation that is not deleted.

    Raises TurnNotFound.
    """
    turn = Turn.objects.filter(
        workspace_id=workspace_id,
        chatbot_id=chatbot_id,
        id=turn_id,
        conversation__deleted_at__isnull=True,
    ).first()
    if turn is None:
        raise TurnNotFound
    return turn


def find_turn_by_request_id(workspace_id: str, request_id: str) -> Turn | None:
    """The workspace's turn that this request opened, with its key and chatbot.

    The id says when the request arrived, so only the turns of the minutes around it are looked
    at: the clocks of our machines may differ, and a request may have waited for its turn.
    """
    moment = request_id_time(request_id)
    if moment is None:
        return None
    around = (moment - timedelta(minutes=1), moment + timedelta(minutes=2))
    turns = Turn.objects.filter(workspace_id=workspace_id, created_at__range=around)
    return turns.filter(request_id=request_id).select_related("api_key", "chatbot").first()


def running_turns_for(workspace_id: str) -> QuerySet[Turn]:
    """The workspace's turns that run at this moment."""
    return Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING)


def turns_since(workspace_id: str, moment: datetime) -> QuerySet[Turn]:
    """The workspace's turns that have opened since then."""
    return Turn.objects.filter(workspace_id=workspace_id, created_at__gte=moment)


def get_answer_text(turn: Turn) -> str:
    """The text of a settled turn's answer; empty where it has none."""
    text = Message.objects.filter(
        workspace_id=turn.workspace_id, turn=turn, id=turn.message_id
    ).values_list("text", flat=True)
    return text.first() or ""


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What was done with a key: turns, and the credits that they were charged."""

    turns: int
    credits: int


def count_turns_by_chatbot(workspace_id: str, *, since: datetime) -> dict[str, int]:
    """How many turns of each chatbot of the workspace began since that moment, by its id."""
    turns = Turn.objects.filter(workspace_id=workspace_id, created_at__gte=since)
    counted = turns.values("chatbot_id").annotate(turns=Count("id"))
    return {row["chatbot_id"]: row["turns"] for row in counted}


def usage_by_api_key(workspace_id: str, *, since: datetime) -> dict[str, KeyUsage]:
    """The use of each API key of the workspace since that moment, by the key's id."""
    turns = Turn.objects.filter(workspace_id=workspace_id, created_at__gte=since)
    counted = turns.exclude(api_key=None).values("api_key_id")
    return {
        row["api_key_id"]: KeyUsage(row["turns"], row["credits"])
        for row in counted.annotate(turns=Count("id"), credits=Sum("credits_charged"))
    }
