"""Let Parley's staff read a conversation, with a reason that the workspace's owner can see."""

from django.db import transaction

from apps.audit.services import Actor
from apps.audit.staff_access import record_reading
from apps.conversations.models import Conversation, Message
from apps.conversations.queries import messages_in

MAX_MESSAGES = 500


@transaction.atomic
def read_with_reason(*, conversation: Conversation, actor: Actor, reason: str) -> list[Message]:
    """Return the newest messages (at most 500) of a conversation, oldest first.

    The reason is written to the audit log in the same transaction. Raises ValueError if it has
    fewer than 10 characters.
    """
    record_reading(conversation, actor=actor, action="conversation.read", reason=reason)
    newest = messages_in(conversation).reverse()[:MAX_MESSAGES]
    return list(reversed(newest))
