"""Erase what one end user wrote, across all apps that store it.

Safe to interrupt, and to run in two workers at once. Receipts of turns and the ledger stay.
"""

import math
import time
from collections.abc import Sequence
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
from apps.workspaces.services import (
    claim_erasure,
    finish_erasure,
    record_progress,
    release_erasure,
)

MAX_SECONDS = 60.0
"""How long a run takes before it leaves the rest to the next: others wait for its worker."""
BATCH_SIZE = 500
"""Conversations that are erased together with their leads and events."""


def erase_end_users(
    *, now: datetime, max_seconds: float = MAX_SECONDS, batch_size: int = BATCH_SIZE
) -> int:
    """Carry out requested erasures, of workspaces in turn. Return how many were completed.

    One that fails is logged, and tried again when its claim expires.
    """
    deadline = time.monotonic() + max_seconds
    done = 0
    while (erasure := claim_erasure(now=now)) is not None:
        done += sum_each(
            [erasure],
            lambda each: erase_end_user(each, now=now, deadline=deadline, batch_size=batch_size),
            event="end_user_not_erased",
        )
        if time.monotonic() >= deadline:
            break
    return done


def erase_end_user(
    erasure: Erasure, *, now: datetime, deadline: float = math.inf, batch_size: int = BATCH_SIZE
) -> bool:
    """Delete the end user's conversations with their leads and events, and the exports.

    All exports of the workspace are deleted, because they may contain the conversations and can be
    requested again. Returns False if the erasure is not complete: it is continued when its claim
    expires while a turn runs in one of the conversations, and at its next turn if this moment of
    the monotonic clock, `deadline`, has passed.
    """
    workspace_id = erasure.workspace_id
    ids = find_end_user_conversations(workspace_id, erasure.user_id)
    for export in exports_for(workspace_id) if ids else ():
        delete_export(export=export, actor=SYSTEM)
    is_complete = True
    for first in range(0, len(ids), batch_size):
        if first and time.monotonic() >= deadline:
            release_erasure(erasure=erasure)
            return False
        is_complete &= _erase_conversations(erasure, ids[first : first + batch_size])
    return is_complete and finish_erasure(erasure=erasure, actor=SYSTEM, now=now)


def _erase_conversations(erasure: Erasure, ids: Sequence[str]) -> bool:
    """Erase these conversations. Return False while a turn runs in one of them."""
    workspace_id = erasure.workspace_id
    # What is about a conversation goes first: it would not be found afterwards, by the next
    # attempt after an interruption.
    lead_ids = lead_ids_from_conversations(workspace_id, ids)
    leads = erase_leads(workspace_id, lead_ids)
    erase_events(workspace_id, conversation_ids=ids, lead_ids=lead_ids)
    is_busy, deleted = False, 0
    for conversation_id in ids:
        try:
            delete_conversation(
                workspace_id=workspace_id, conversation_id=conversation_id, actor=SYSTEM
            )
            deleted += 1
        except ConversationNotFound:
            continue  # deleted already
        except ConversationBusy:
            is_busy = True
    # Turns that have ended since the events were deleted have emitted others.
    erase_events(workspace_id, conversation_ids=ids, lead_ids=lead_ids)
    record_progress(erasure=erasure, conversations=deleted, leads=leads)
    return not is_busy
