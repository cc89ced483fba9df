"""What people said, shown to Parley's staff: with a reason, which the workspace's owner can read.

The audit entry is written before anything is shown, in the same transaction as the reading.
"""

from __future__ import annotations

from django.db import transaction

from apps.audit.services import Actor, record
from apps.conversations.models import Conversation, Message
from apps.conversations.queries import messages_in

MIN_REASON_LENGTH = 10
MAX_MESSAGES = 500


@transaction.atomic
def read_with_reason(*, conversation: Conversation, actor: Actor, reason: str) -> list[Message]:
    """The newest messages (at most 500) of a conversation, oldest first.

    Raises ValueError for a reason of fewer than 10 characters.
    """
    reason = reason.strip()
    if len(reason) < MIN_REASON_LENGTH:
        raise ValueError(f"Give a reason of at least {MIN_REASON_LENGTH} characters.")
    record(
        workspace_id=conversation.workspace_id,
        actor=actor,
        action="conversation.read",
        target_id=conversation.id,
        details={"reason": reason},
    )
    newest = messages_in(conversation).reverse()[:MAX_MESSAGES]
    return list(reversed(newest))
