"""Erase what one end user wrote, across all apps that store it.

Safe to interrupt, and to run in two workers at once. Receipts of turns and the ledger stay.
"""

import time
from datetime import datetime

from apps.audit.services import SYSTEM
from apps.conversations.erasure import delete_conversation, find_end_user_conversations
from apps.conversations.errors import ConversationBusy, ConversationNotFound
from apps.conversations.exports.queries import exports_for
from apps.conversations.exports.services import delete_export
from apps.infrastructure.isolation import sum_each
from apps.leads.erasure import erase_leads, lead_ids_from_conversations
from apps.webhooks.erasure import erase_events
from apps.workspaces.models import Erasure
from apps.workspaces.services import claim_erasure, finish_erasure

MAX_SECONDS = 60.0
"""How long a run takes before it leaves the rest to the next: others wait for its worker."""


def erase_end_users(*, now: datetime, max_seconds: float = MAX_SECONDS) -> int:
    """Carry out requested erasures, of workspaces in turn. Return how many were completed.

    One that fails is logged, and tried again when its claim expires.
    """
    deadline = time.monotonic() + max_seconds
    done = 0
    while (erasure := claim_erasure(now=now)) is not None:
        done += sum_each(
            [erasure], lambda each: erase_end_user(each, now=now), event="end_user_not_erased"
        )
        if time.monotonic() >= deadline:
            break
    return done


def erase_end_user(erasure: Erasure, *, now: datetime) -> bool:
    """Delete the end user's conversations with their leads and events, and the exports.

    All exports of the workspace are deleted, because they may contain the conversations and can be
    requested again. Returns False while a turn runs in one of the conversations: the erasure is
    then not complete, and is retried when its claim expires.
    """
    workspace_id = erasure.workspace_id
    ids = find_end_user_conversations(workspace_id, erasure.user_id)
    lead_ids = lead_ids_from_conversations(workspace_id, ids)
    is_busy = False
    for conversation_id in ids:
        try:
            delete_conversation(
                workspace_id=workspace_id, conversation_id=conversation_id, actor=SYSTEM
            )
        except ConversationNotFound:
            continue  # deleted already
        except ConversationBusy:
            is_busy = True
    erase_events(workspace_id, conversation_ids=ids, lead_ids=lead_ids)
    for export in exports_for(workspace_id) if ids else ():
        delete_export(export=export, actor=SYSTEM)
    leads = erase_leads(workspace_id, lead_ids)
    if is_busy:
        return False
    return finish_erasure(
        erasure=erasure, conversations=len(ids), leads=leads, actor=SYSTEM, now=now
    )
