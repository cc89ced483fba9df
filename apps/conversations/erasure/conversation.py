"""Delete one conversation permanently, in two steps.

    delete_conversation           hides it in one short transaction, then erases it
    erase_conversation            removes its content; can be repeated
    erase_deleted_conversations   erases what was hidden but not yet erased

Messages, ratings, citations of leads, titles, notes, idempotency keys and the text in webhook
events are removed. Turns stay as receipts without text, and so does the row of the conversation
with its dates, because turns refer to it: see decision 0016 in docs/decisions/.
"""

from django.db import transaction
from django.db.models.functions import Now

from apps.audit.services import Actor, record_change
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.models import API_SOURCE, Conversation, Message, Turn
from apps.conversations.queries import conversations_for, find_running_turn
from apps.conversations.search import delete_search_documents
from apps.conversations.signals import conversation_erased
from apps.credits.services import lock_account
from apps.webhooks.erasure import erase_responses

_MESSAGE_BATCH_SIZE = 1000
_CONVERSATION_BATCH_SIZE = 100


def delete_conversation(*, workspace_id: str, conversation_id: str, actor: Actor) -> None:
    """Delete a conversation. No query returns it any more and no turn can open in it.

    If erasing is interrupted, `erase_deleted_conversations` continues it. Raises
    ConversationNotFound, or ConversationBusy while a turn runs; nothing is changed then.
    """
    _hide(workspace_id, conversation_id, actor)
    erase_conversation(workspace_id=workspace_id, conversation_id=conversation_id)


@transaction.atomic
def _hide(workspace_id: str, conversation_id: str, actor: Actor) -> None:
    rows = conversations_for(workspace_id).filter(id=conversation_id)
    if not rows.exists():
        raise ConversationNotFound
    # While the account is locked, no turn of the workspace opens or settles.
    lock_account(workspace_id=workspace_id)
    conversation = rows.select_for_update(no_key=True).first()
    if conversation is None:
        raise ConversationNotFound
    if find_running_turn(conversation) is not None:
        raise ConversationBusy
    rows.update(deleted_at=Now(), title="", note="", source=API_SOURCE)
    record_change(conversation, actor=actor, action="conversation.deleted")


def erase_conversation(*, workspace_id: str, conversation_id: str) -> None:
    """Remove the content of a deleted conversation, deleting its messages in batches."""
    deleted = Conversation.objects.filter(
        workspace_id=workspace_id, id=conversation_id, deleted_at__isnull=False
    )
    conversation = deleted.first()
    if conversation is None:
        raise ConversationNotFound
    messages = Message.objects.filter(workspace_id=workspace_id, conversation=conversation)
    while ids := list(messages.values_list("id", flat=True)[:_MESSAGE_BATCH_SIZE]):
        messages.filter(id__in=ids).delete()
    erase_responses(
        workspace_id=workspace_id,
        conversation_id=conversation_id,
        since=conversation.created_at,
    )
    with transaction.atomic():
        delete_search_documents(workspace_id=workspace_id, conversation_ids=[conversation_id])
        conversation_erased.send(
            sender=Conversation, workspace_id=workspace_id, conversation_id=conversation_id
        )
        turns = Turn.objects.filter(workspace_id=workspace_id, conversation=conversation)
        turns.update(text_so_far="", delta_lengths=[], idempotency_key=None)
        deleted.update(erased_at=Now())


def erase_deleted_conversations() -> int:
    """Erase a batch of the conversations that are deleted but not erased. Return how many."""
    rows = Conversation.objects.filter(deleted_at__isnull=False, erased_at__isnull=True)
    ids = rows.order_by("deleted_at").values_list("workspace_id", "id")
    batch = list(ids[:_CONVERSATION_BATCH_SIZE])
    for workspace_id, conversation_id in batch:
        erase_conversation(workspace_id=workspace_id, conversation_id=conversation_id)
    return len(batch)
