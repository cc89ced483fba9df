"""Deleting a conversation for good, in two steps.

    delete_conversation    hides it at once, in one short transaction beside its turns
    erase_conversation     removes what was said in it; can be repeated
    erase_deleted          the same for all that somebody deleted and nobody has erased yet

Messages, ratings, citations of leads, titles, notes and idempotency keys go, and so does the text
in events that webhooks were told. The turns stay as receipts without text, and the row of the
conversation with its dates stays because they name it: docs/decisions/0016 says why.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from apps.audit.services import Actor, record
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.models import API, Conversation, Message, Turn
from apps.conversations.queries import conversations_of, running_turn
from apps.conversations.search import forget
from apps.credits.services import lock_account
from apps.webhooks.services import forget_answers

_MESSAGES_AT_ONCE = 1000
_CONVERSATIONS_AT_ONCE = 100


def delete_conversation(*, workspace_id: str, conversation_id: str, actor: Actor) -> None:
    """Delete it: from now on it is found nowhere, and no turn opens in it.

    Raises ConversationNotFound, or ConversationBusy while a turn runs in it, having changed
    nothing. Should what comes after hiding it be cut off, `erase_deleted` goes on with it.
    """
    _hide(workspace_id, conversation_id, actor)
    erase_conversation(workspace_id=workspace_id, conversation_id=conversation_id)


@transaction.atomic
def _hide(workspace_id: str, conversation_id: str, actor: Actor) -> None:
    found = conversations_of(workspace_id).filter(id=conversation_id)
    if not found.exists():
        raise ConversationNotFound
    # While the account is locked, no turn of the workspace opens or settles.
    lock_account(workspace_id=workspace_id)
    conversation = found.select_for_update(no_key=True).first()
    if conversation is None:
        raise ConversationNotFound
    if running_turn(conversation) is not None:
        raise ConversationBusy
    found.update(deleted_at=Now(), title="", note="", source=API)
    record(
        workspace_id=workspace_id,
        actor=actor,
        action="conversation.deleted",
        target_id=conversation_id,
    )


def erase_conversation(*, workspace_id: str, conversation_id: str) -> None:
    """Remove what was said in a deleted conversation, a thousand messages at a time."""
    deleted = Conversation.objects.filter(
        workspace_id=workspace_id, id=conversation_id, deleted_at__isnull=False
    )
    conversation = deleted.first()
    if conversation is None:
        raise ConversationNotFound
    said = Message.objects.filter(workspace_id=workspace_id, conversation=conversation)
    while ids := list(said.values_list("id", flat=True)[:_MESSAGES_AT_ONCE]):
        said.filter(id__in=ids).delete()
    forget_answers(
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        since=conversation.created_at,
    )
    with transaction.atomic():
        forget(workspace_id=workspace_id, conversation_ids=[conversation_id])
        # A lead is a person's details, not a conversation's: it stays, and names none any more.
        conversation.leads.update(conversation=None)
        turns = Turn.objects.filter(workspace_id=workspace_id, conversation=conversation)
        turns.update(text_so_far="", delta_lengths=[], idempotency_key=None)
        deleted.update(erased_at=Now())


def erase_deleted() -> int:
    """Erase the conversations that are deleted and still hold something; how many there were."""
    found = Conversation.objects.filter(deleted_at__isnull=False, erased_at__isnull=True)
    places = list(found.order_by("deleted_at").values_list("workspace_id", "id"))
    for workspace_id, conversation_id in places[:_CONVERSATIONS_AT_ONCE]:
        erase_conversation(workspace_id=workspace_id, conversation_id=conversation_id)
    return len(places[:_CONVERSATIONS_AT_ONCE])
