"""Forgetting in time, and forgetting one person: over all apps that keep what people said.

    forget_old     conversations and leads that a workspace keeps no longer
    erase_users    end-users whom a workspace wants forgotten

Both can be stopped anywhere and begun again, and be run by two workers at once: what one has
deleted the other does not find. The turns' receipts and the ledger stay: they are the books.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from apps.audit.services import SYSTEM, record
from apps.conversations.erasure import delete_conversation, find_end_user_conversations
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.exports.queries import exports_for
from apps.conversations.exports.services import delete_export
from apps.conversations.queries import conversations_for
from apps.infrastructure.logging import get_logger
from apps.leads import erasure as leads
from apps.webhooks.erasure import erase_events
from apps.workspaces.models import Erasure, Workspace
from apps.workspaces.services import claim_erasure, finish_erasure

log = get_logger(__name__)

BATCH_SIZE = 200


def delete_expired_data(*, now: datetime) -> int:
    """Delete what is kept no longer: in each workspace some of it, the oldest first; how much.

    The clock asks again soon, so that a workspace with much to forget delays no other.
    """
    keeping = Q(keep_conversations_days__isnull=False) | Q(keep_leads_days__isnull=False)
    open_ones = Workspace.objects.filter(keeping, closed_at=None).order_by("id")
    return sum(_forget_in(workspace, now) for workspace in open_ones.iterator())


def _forget_in(workspace: Workspace, now: datetime) -> int:
    conversations = gone = 0
    if workspace.keep_conversations_days is not None:
        moment = now - timedelta(days=workspace.keep_conversations_days)
        old = conversations_for(workspace.id).filter(last_message_at__lt=moment)
        ids = list(old.order_by("last_message_at").values_list("id", flat=True)[:BATCH_SIZE])
        conversations = sum(_delete(workspace.id, conversation_id) == 1 for conversation_id in ids)
    if workspace.keep_leads_days is not None:
        moment = now - timedelta(days=workspace.keep_leads_days)
        gone = leads.erase_unchanged_since(workspace.id, moment)
    if gone:
        # Conversations are in the log one by one.
        record(
            workspace_id=workspace.id,
            actor=SYSTEM,
            action="lead.forgotten",
            details={"leads": gone},
        )
    return conversations + gone


def erase_end_users(*, now: datetime) -> int:
    """Do the erasures that wait; how many were done. Where a turn runs, it is done later."""
    done = 0
    while (erasure := claim_erasure(now=now)) is not None:
        done += erase_end_user(erasure, now=now)
    return done


def erase_end_user(erasure: Erasure, *, now: datetime) -> bool:
    """Delete the conversations in which the end-user spoke, the leads out of them, what webhooks
    told of both, and the workspace's exports, which may hold them and can be asked for again.

    False where a turn runs in one of the conversations: then it is not done yet.
    """
    workspace_id = erasure.workspace_id
    ids = find_end_user_conversations(workspace_id, erasure.user_id)
    lead_ids = leads.lead_ids_from_conversations(workspace_id, ids)
    deleted = [_delete(workspace_id, conversation_id) for conversation_id in ids]
    erase_events(workspace_id, conversation_ids=ids, lead_ids=lead_ids)
    for export in exports_for(workspace_id) if ids else ():
        delete_export(export=export, actor=SYSTEM)
    removed = leads.erase_leads(workspace_id, lead_ids)
    if -1 in deleted:
        return False
    return finish_erasure(
        erasure=erasure, conversations=len(ids), leads=removed, actor=SYSTEM, now=now
    )


def _delete(workspace_id: str, conversation_id: str) -> int:
    """1 if it is deleted by this call, 0 if it was before, -1 while a turn runs in it."""
    try:
        delete_conversation(
            workspace_id=workspace_id, conversation_id=conversation_id, actor=SYSTEM
        )
    except ConversationNotFound:
        return 0
    except ConversationBusy:
        return -1
    return 1
