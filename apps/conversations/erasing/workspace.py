"""What becomes of the conversations of a workspace that is deleted."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction

from apps.conversations import search
from apps.conversations.exports.models import Export
from apps.conversations.models import API, Conversation, Message, Rating, Turn, TurnStatus

_CONVERSATIONS_AT_ONCE = 500


def erase(workspace_id: str) -> bool:
    """Forget what was said; False while a turn still runs, which would write again.

    Exports are removed. Turns and messages stay as rows without text: the ledger's charges name
    them. It goes through the conversations in small transactions, and may be stopped and begun
    again.
    """
    if Turn.objects.filter(workspace_id=workspace_id, status=TurnStatus.RUNNING).exists():
        return False
    Export.objects.filter(workspace_id=workspace_id).delete()
    for conversation_ids in _batches(workspace_id):
        said = Message.objects.filter(conversation_id__in=conversation_ids)
        said.exclude(text="", metadata=None).update(text="", metadata=None)
        Rating.objects.filter(conversation_id__in=conversation_ids).delete()
        named = Conversation.objects.filter(id__in=conversation_ids)
        named.exclude(title="", note="", source=API).update(title="", note="", source=API)
        with transaction.atomic():
            search.forget(workspace_id=workspace_id, conversation_ids=conversation_ids)
        told = Turn.objects.filter(conversation_id__in=conversation_ids)
        told.update(text_so_far="", delta_lengths=[], idempotency_key=None)
    return True


def _batches(workspace_id: str) -> Iterator[list[str]]:
    ids = Conversation.objects.filter(workspace_id=workspace_id).order_by("id")
    last = ""
    while True:
        batch = list(ids.filter(id__gt=last).values_list("id", flat=True)[:_CONVERSATIONS_AT_ONCE])
        if not batch:
            return
        yield batch
        last = batch[-1]
