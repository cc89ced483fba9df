"""Delete conversations and leads past the retention period of their workspace.

Safe to interrupt, and to run in two workers at once. Receipts of turns and the ledger stay.
"""

import time
from datetime import datetime, timedelta
from itertools import takewhile

from django.db import transaction
from django.db.models import Q

from apps.audit.services import SYSTEM, record
from apps.conversations.erasure import delete_conversation
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.queries import conversations_for
from apps.infrastructure.isolation import sum_each
from apps.leads.erasure import erase_unchanged_since
from apps.workspaces.models import Workspace

BATCH_SIZE = 200


MAX_SECONDS = 60.0
"""How long a run takes before it leaves the rest to the next."""


def delete_expired_data(*, now: datetime, max_seconds: float = MAX_SECONDS) -> int:
    """Delete a batch of expired data of each workspace, the oldest first. Return how many rows.

    Batches are small so that one workspace does not delay the others, and its failure is its own;
    the task runs often. Workspaces come in a random order, so that a run whose time is up leaves
    out other ones than the last.
    """
    has_retention = Q(keep_conversations_days__isnull=False) | Q(keep_leads_days__isnull=False)
    workspaces = Workspace.objects.filter(has_retention, closed_at=None).order_by("?")
    deadline = time.monotonic() + max_seconds
    in_time = takewhile(lambda _: time.monotonic() < deadline, workspaces.iterator())
    return sum_each(
        in_time,
        lambda workspace: _delete_expired_in(workspace, now),
        event="expired_data_not_deleted",
    )


def _delete_expired_in(workspace: Workspace, now: datetime) -> int:
    conversations = leads = 0
    if workspace.keep_conversations_days is not None:
        oldest = now - timedelta(days=workspace.keep_conversations_days)
        expired = conversations_for(workspace.id).filter(last_message_at__lt=oldest)
        ids = list(expired.order_by("last_message_at").values_list("id", flat=True)[:BATCH_SIZE])
        conversations = sum(_delete(workspace.id, conversation_id) for conversation_id in ids)
    if workspace.keep_leads_days is not None:
        oldest = now - timedelta(days=workspace.keep_leads_days)
        leads = _delete_leads(workspace.id, oldest)
    return conversations + leads


@transaction.atomic
def _delete_leads(workspace_id: str, oldest: datetime) -> int:
    leads = erase_unchanged_since(workspace_id, oldest)
    if leads:
        # Each deleted conversation has an audit entry of its own.
        record(
            workspace_id=workspace_id,
            actor=SYSTEM,
            action="lead.forgotten",
            details={"leads": leads},
        )
    return leads


def _delete(workspace_id: str, conversation_id: str) -> bool:
    """Delete a conversation unless another worker did or a turn runs in it."""
    try:
        delete_conversation(
            workspace_id=workspace_id, conversation_id=conversation_id, actor=SYSTEM
        )
    except (ConversationNotFound, ConversationBusy):
        return False
    return True
