"""Find or create the lead of a turn and cite the messages of its details."""

from collections.abc import Iterable

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from apps.conversations.models import Message, Turn
from apps.leads.fields import LeadFields
from apps.leads.models import CapturedField, Lead
from apps.leads.services import emit_lead_event, to_columns
from apps.webhooks.models import EventType

CHAT_SOURCE = "chat"
"""The default source of a lead that was captured from a conversation."""

Citation = tuple[str, str, Message]
"""A field, its value, and the message in which it was given."""


def lock_conversation(turn: Turn) -> None:
    """Serialise lead capture in the turn's conversation until the transaction ends.

    An advisory lock: chat requests never wait for it, because it locks no row that they use.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [turn.conversation_id]
        )


def try_lock_conversation(turn: Turn) -> bool:
    """Like `lock_conversation`, but return False instead of waiting for another worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [turn.conversation_id]
        )
        return bool(cursor.fetchone()[0])


def get_or_create_lead(turn: Turn, fields: LeadFields) -> tuple[Lead, bool]:
    """Return the lead that the fields belong to, locked, and whether it is new.

    That is the lead with this email, else the conversation's lead unless it has another email,
    else a new one with these fields.
    """
    email = fields.get("email")
    leads = Lead.objects.select_for_update().filter(
        workspace_id=turn.workspace_id, chatbot_id=turn.chatbot_id
    )
    lead = leads.filter(email=email).first() if email else None
    lead = lead or find_conversation_lead(turn)
    if lead is not None and (not email or lead.email in (None, email)):
        return lead, False
    defaults = {
        "conversation_id": turn.conversation_id,
        "source": CHAT_SOURCE,
        **to_columns({}, fields),
    }
    key = {"email": email} if email else {"email": None, "conversation_id": turn.conversation_id}
    return leads.get_or_create(
        workspace_id=turn.workspace_id, chatbot_id=turn.chatbot_id, **key, defaults=defaults
    )


def find_conversation_lead(turn: Turn) -> Lead | None:
    """Return the newest lead that was created or cited in the turn's conversation, locked."""
    cited = CapturedField.objects.filter(
        lead=OuterRef("pk"), message__conversation_id=turn.conversation_id
    )
    leads = Lead.objects.select_for_update().filter(
        Q(conversation_id=turn.conversation_id) | Exists(cited),
        workspace_id=turn.workspace_id,
        chatbot_id=turn.chatbot_id,
    )
    return leads.order_by("-created_at", "-id").first()


def record_capture(
    lead: Lead, citations: Iterable[Citation], *, is_new: bool, is_changed: bool
) -> None:
    """Save the citations, each once per conversation, and emit `lead.created` or `lead.updated`.

    A new citation counts as an update.
    """
    saved = set(lead.captured.values_list("field", "value", "message__conversation_id"))
    rows = []
    for field, value, message in citations:
        if (field, value, message.conversation_id) not in saved:
            saved.add((field, value, message.conversation_id))
            row = CapturedField(lead=lead, message=message, field=field, value=value)
            row.workspace_id = lead.workspace_id
            rows.append(row)
    CapturedField.objects.bulk_create(rows)
    if is_new:
        emit_lead_event(lead=lead, event=EventType.LEAD_CREATED)
    elif is_changed or rows:
        emit_lead_event(lead=lead, event=EventType.LEAD_UPDATED)
