"""What a workspace makes of its conversations: titles, notes, ratings. None of it costs credits,
and nothing of it is told to webhooks."""

from __future__ import annotations

from django.db import transaction

from apps.audit.services import Actor, record
from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Conversation, Message, Rating, RatingValue
from apps.conversations.queries import conversations_for, get_answer
from apps.conversations.search import index_title


@transaction.atomic
def edit_conversation(
    *,
    workspace_id: str,
    conversation_id: str,
    actor: Actor,
    title: str | None = None,
    note: str | None = None,
) -> Conversation:
    """Set the title or the note, or both; None leaves one as it is, "" takes it away.

    What would change nothing is written down nowhere. Raises ConversationNotFound.
    """
    conversation = lock_conversation(workspace_id, conversation_id)
    given = {"title": title, "note": note}
    changed = sorted(
        name
        for name, value in given.items()
        if value is not None and value != getattr(conversation, name)
    )
    if not changed:
        return conversation
    for name in changed:
        setattr(conversation, name, given[name])
    conversation.save(update_fields=changed)
    if "title" in changed:
        index_title(conversation=conversation)
    record(
        workspace_id=workspace_id,
        actor=actor,
        action="conversation.renamed" if "title" in changed else "conversation.annotated",
        target_id=conversation.id,
        # Never the words: the log cannot be erased, and a conversation can.
        details={"fields": changed},
    )
    return conversation


@transaction.atomic
def rate_answer(
    *,
    workspace_id: str,
    conversation_id: str,
    message_id: str,
    value: RatingValue,
    comment: str = "",
    actor: Actor,
) -> Message:
    """Rate an answer, in place of any rating that it has. Returns it with its rating.

    Raises ConversationNotFound, MessageNotFound or MessageNotAnAnswer.
    """
    # The lock keeps the conversation from being deleted meanwhile, and two ratings one at a time.
    message = get_answer(lock_conversation(workspace_id, conversation_id), message_id)
    Rating.objects.filter(workspace_id=workspace_id, message=message).delete()
    rating = Rating.objects.create(
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        message=message,
        value=value,
        comment=comment,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:300],
    )
    rating.refresh_from_db(fields=["created_at"])
    return message


@transaction.atomic
def clear_rating(*, workspace_id: str, conversation_id: str, message_id: str) -> Message:
    """Take an answer's rating away, if it has one. Raises as `rate_answer`."""
    message = get_answer(lock_conversation(workspace_id, conversation_id), message_id)
    Rating.objects.filter(workspace_id=workspace_id, message=message).delete()
    return message


def lock_conversation(workspace_id: str, conversation_id: str) -> Conversation:
    """The conversation, kept from others who change or delete it until the transaction ends.

    Turns go on in it: they change none of what this guards. Raises ConversationNotFound.
    """
    found = conversations_for(workspace_id).select_for_update(no_key=True)
    conversation = found.filter(id=conversation_id).first()
    if conversation is None:
        raise ConversationNotFound
    return conversation
