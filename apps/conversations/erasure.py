"""Erase conversations: one conversation, those of one end user, or all of a workspace.

A conversation is deleted permanently in two steps:

    delete_conversation           hides it in one short transaction, then erases it
    erase_conversation            removes its content; can be repeated
    erase_deleted_conversations   erases what was hidden but not yet erased

Messages, citations, ratings, what leads cite, titles, notes, idempotency keys and the text in
webhook events are removed. Turns stay as receipts without text, and so does the row of the
conversation with its dates, because turns refer to it: see decision 0016 in docs/decisions/.
"""

from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Window
from django.db.models.functions import Now, RowNumber

from apps.audit.services import Actor, record_change
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.models import (
    API_SOURCE,
    Citation,
    Conversation,
    Export,
    Message,
    QuestionReview,
    Rating,
    Turn,
)
from apps.conversations.queries import conversations_for, find_running_turn, running_turns_for
from apps.conversations.search import delete_search_documents
from apps.conversations.signals import conversation_erased
from apps.credits.services import lock_account
from apps.infrastructure.isolation import sum_each
from apps.infrastructure.postgres.rows import first_or_raise
from apps.webhooks.erasure import erase_responses

_MESSAGE_BATCH_SIZE = 1000
_CONVERSATION_BATCH_SIZE = 100
_END_USER_BATCH_SIZE = 10_000
_WORKSPACE_BATCH_SIZE = 500


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
    conversation = first_or_raise(rows.select_for_update(no_key=True), ConversationNotFound)
    if find_running_turn(conversation) is not None:
        raise ConversationBusy
    rows.update(deleted_at=Now(), title="", note="", source=API_SOURCE)
    record_change(conversation, actor=actor, action="conversation.deleted")


def erase_conversation(*, workspace_id: str, conversation_id: str) -> None:
    """Remove the content of a deleted conversation, deleting its messages in batches."""
    deleted = Conversation.objects.filter(
        workspace_id=workspace_id, id=conversation_id, deleted_at__isnull=False
    )
    conversation = first_or_raise(deleted, ConversationNotFound)
    messages = Message.objects.filter(workspace_id=workspace_id, conversation=conversation)
    while ids := list(messages.values_list("id", flat=True)[:_MESSAGE_BATCH_SIZE]):
        messages.filter(id__in=ids).delete()
    citations = Citation.objects.filter(workspace_id=workspace_id)
    citations.filter(turn__conversation=conversation).delete()
    reviews = QuestionReview.objects.filter(workspace_id=workspace_id)
    reviews.filter(turn__conversation=conversation).delete()
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
    """Erase a batch of the conversations that are deleted but not erased. Return how many.

    The batch has the oldest of each workspace, then the second of each, and so on. A failure is
    logged and stops no other.
    """
    place = Window(RowNumber(), partition_by="workspace_id", order_by="deleted_at")
    rows = Conversation.objects.filter(deleted_at__isnull=False, erased_at__isnull=True)
    in_turn = rows.annotate(place=place).order_by("place", "deleted_at")

    def erase(conversation: Conversation) -> int:
        erase_conversation(workspace_id=conversation.workspace_id, conversation_id=conversation.id)
        return 1

    return sum_each(
        list(in_turn[:_CONVERSATION_BATCH_SIZE]), erase, event="conversation_not_erased"
    )


# Reads all messages of the workspace in batches, by the index over workspace and id: an index of
# the metadata would cost every turn. For background jobs, not for pages.
_FIND_BATCH = """
WITH batch AS MATERIALIZED (
  SELECT id, conversation_id, metadata ->> 'userId' = %(user)s AS matches
  FROM conversations_message
  WHERE workspace_id = %(workspace)s AND id > %(after)s
  ORDER BY id LIMIT %(limit)s
)
SELECT max(id), coalesce(array_agg(DISTINCT conversation_id) FILTER (WHERE matches), '{}')
FROM batch
"""


def find_end_user_conversations(workspace_id: str, user_id: str) -> list[str]:
    """Return the ids of the conversations in which this end user wrote a message, sorted."""
    found: set[str] = set()
    after: str | None = ""
    with connection.cursor() as cursor:
        while after is not None:
            values = {"workspace": workspace_id, "user": user_id, "after": after}
            cursor.execute(_FIND_BATCH, {**values, "limit": _END_USER_BATCH_SIZE})
            after, conversation_ids = cursor.fetchone()
            found.update(conversation_ids)
    return sorted(found)


def erase_workspace(workspace_id: str) -> bool:
    """Remove exports, ratings and all text. Return False, unchanged, while a turn still runs.

    Turns and messages stay as rows without text, because ledger entries refer to turns. Works in
    small transactions and can be interrupted and repeated.
    """
    if running_turns_for(workspace_id).exists():
        return False
    Export.objects.filter(workspace_id=workspace_id).delete()
    for ids in _conversation_id_batches(workspace_id):
        messages = Message.objects.filter(conversation_id__in=ids)
        messages.exclude(text="", metadata=None).update(text="", metadata=None)
        Rating.objects.filter(conversation_id__in=ids).delete()
        citations = Citation.objects.filter(workspace_id=workspace_id)
        citations.filter(turn__conversation_id__in=ids).delete()
        reviews = QuestionReview.objects.filter(workspace_id=workspace_id)
        reviews.filter(turn__conversation_id__in=ids).delete()
        conversations = Conversation.objects.filter(id__in=ids)
        conversations.exclude(title="", note="", source=API_SOURCE).update(
            title="", note="", source=API_SOURCE
        )
        with transaction.atomic():
            delete_search_documents(workspace_id=workspace_id, conversation_ids=ids)
        turns = Turn.objects.filter(conversation_id__in=ids)
        turns.update(text_so_far="", delta_lengths=[], idempotency_key=None)
    return True


def _conversation_id_batches(workspace_id: str) -> Iterator[list[str]]:
    ids = Conversation.objects.filter(workspace_id=workspace_id).order_by("id")
    last = ""
    while batch := list(
        ids.filter(id__gt=last).values_list("id", flat=True)[:_WORKSPACE_BATCH_SIZE]
    ):
        yield batch
        last = batch[-1]
