"""Edit what a workspace adds to its conversations: titles, notes and ratings.

None of it costs credits or sends a webhook event.
"""

from django.db import transaction

from apps.audit.services import Actor, record_change
from apps.conversations.errors import ConversationNotFound
from apps.conversations.models import Conversation, Message, Rating, RatingValue
from apps.conversations.queries import conversations_for, get_answer
from apps.conversations.search import index_title
from apps.infrastructure.postgres.rows import first_or_raise


@transaction.atomic
def edit_conversation(
    *,
    workspace_id: str,
    conversation_id: str,
    actor: Actor,
    title: str | None = None,
    note: str | None = None,
) -> Conversation:
    """Set the title, the note or both. None leaves one unchanged, "" removes it.

    Nothing is saved or audited if nothing changes. Raises ConversationNotFound.
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
    # Never the text itself: the log cannot be erased, and a conversation can.
    action = "conversation.renamed" if "title" in changed else "conversation.annotated"
    record_change(conversation, actor=actor, action=action, fields=changed)
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
    """Rate an answer, replacing an earlier rating. Return the message with its rating.

    Raises ConversationNotFound, MessageNotFound or MessageNotAnAnswer.
    """
    # The lock excludes concurrent deletion of the conversation and concurrent ratings.
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
def remove_rating(*, workspace_id: str, conversation_id: str, message_id: str) -> Message:
    """Remove an answer's rating, if it has one. Raises the errors of `rate_answer`."""
    message = get_answer(lock_conversation(workspace_id, conversation_id), message_id)
    Rating.objects.filter(workspace_id=workspace_id, message=message).delete()
    return message


def lock_conversation(workspace_id: str, conversation_id: str) -> Conversation:
    """Return the conversation, locked against changes and deletion until the transaction ends.

    Its turns are not blocked. Raises ConversationNotFound.
    """
    rows = conversations_for(workspace_id).select_for_update(no_key=True)
    return first_or_raise(rows.filter(id=conversation_id), ConversationNotFound)
