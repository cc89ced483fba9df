"""Erase the conversations of a deleted workspace."""

from collections.abc import Iterator

from django.db import transaction

from apps.conversations import search
from apps.conversations.models import API_SOURCE, Conversation, Message, Rating, Turn, TurnStatus
from apps.conversations.models.export import Export

_BATCH_SIZE = 500


def erase_workspace(workspace_id: str) -> bool:
    """Remove exports, ratings and all text. Return False, unchanged, while a turn still runs.

    Turns and messages stay as rows without text, because ledger entries refer to turns. Works in
    small transactions and can be interrupted and repeated.
    """
    if Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING).exists():
        return False
    Export.objects.filter(workspace_id=workspace_id).delete()
    for ids in _conversation_id_batches(workspace_id):
        messages = Message.objects.filter(conversation_id__in=ids)
        messages.exclude(text="", metadata=None).update(text="", metadata=None)
        Rating.objects.filter(conversation_id__in=ids).delete()
        conversations = Conversation.objects.filter(id__in=ids)
        conversations.exclude(title="", note="", source=API_SOURCE).update(
            title="", note="", source=API_SOURCE
        )
        with transaction.atomic():
            search.delete_search_documents(workspace_id=workspace_id, conversation_ids=ids)
        turns = Turn.objects.filter(conversation_id__in=ids)
        turns.update(text_so_far="", delta_lengths=[], idempotency_key=None)
    return True


def _conversation_id_batches(workspace_id: str) -> Iterator[list[str]]:
    ids = Conversation.objects.filter(workspace_id=workspace_id).order_by("id")
    last = ""
    while batch := list(ids.filter(id__gt=last).values_list("id", flat=True)[:_BATCH_SIZE]):
        yield batch
        last = batch[-1]
