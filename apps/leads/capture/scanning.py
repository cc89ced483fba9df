"""Detect contact details in visitors' messages, some seconds after they were sent."""

from datetime import timedelta
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from apps.chatbots.models import LeadCapture
from apps.conversations.models import Message, Role, Turn
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.leads.capture.saving import (
    Citation,
    find_conversation_lead,
    get_or_create_lead,
    lock_conversation,
    record_capture,
)
from apps.leads.detection import DetectedField, detect_contacts
from apps.leads.fields import LeadFields
from apps.leads.models import Reading
from apps.leads.services import apply_changes

log = get_logger(__name__)

_BATCH_SIZE = 500
_MAX_EARLIER_MESSAGES = 20


def scan_new_turns() -> int:
    """Scan the messages of turns that have not been scanned; return how many. Safe to run twice.

    Only turns of the last LEAD_READING_HOURS are scanned; older ones are skipped.
    """
    oldest = Now() - timedelta(hours=settings.LEAD_READING_HOURS)
    unread = Turn.objects.filter(
        workspace_id=F("chatbot__workspace_id"),
        chatbot__lead_capture__in=[LeadCapture.DETECT, LeadCapture.ASK],
        created_at__gt=oldest,
    ).filter(~Exists(Reading.objects.filter(turn=OuterRef("pk"))))
    turns = list(unread.order_by("created_at", "id")[:_BATCH_SIZE])
    Reading.objects.filter(created_at__lt=oldest - timedelta(hours=1)).delete()
    return sum(_try_scan(turn) for turn in turns)


def _try_scan(turn: Turn) -> bool:
    """Scan a turn and log a failure, so that it does not block the turns after it."""
    try:
        return scan_turn(turn=turn)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:
        log.exception("turn_not_scanned", turn_id=turn.id)
        return False


@transaction.atomic
def scan_turn(*, turn: Turn) -> bool:
    """Create or fill a lead from the visitor's message. Return False if scanned before."""
    lock_conversation(turn)
    _, is_new = Reading.objects.get_or_create(turn=turn, workspace_id=turn.workspace_id)
    if not is_new:
        return False
    message = Message.objects.filter(
        workspace_id=turn.workspace_id, turn=turn, role=Role.USER
    ).first()
    if message is not None:
        _save_detected(turn, message, detect_contacts(message.text))
    return True


def _save_detected(turn: Turn, message: Message, detected: list[DetectedField]) -> None:
    first: dict[str, str] = {each.field: each.value for each in reversed(detected)}
    citations: list[Citation] = [(each.field, each.value, message) for each in detected]
    if "email" not in first and "phone" not in first and find_conversation_lead(turn) is None:
        return  # a name alone does not make a lead
    lead, is_new = get_or_create_lead(turn, cast(LeadFields, first))
    if not lead.name and "name" not in first:
        citations += _earlier_name(message)
        first |= {field: value for field, value, _ in citations if field == "name"}
    empty = {name: value for name, value in first.items() if not getattr(lead, name)}
    changed = apply_changes(lead=lead, fields=cast(LeadFields, empty))
    record_capture(lead, citations, is_new=is_new, is_changed=bool(changed))


def _earlier_name(message: Message) -> list[Citation]:
    """Return the last name that the visitor gave before this message, with its message."""
    earlier = Message.objects.filter(
        workspace_id=message.workspace_id,
        conversation_id=message.conversation_id,
        role=Role.USER,
        created_at__lt=message.created_at,
    ).order_by("-created_at", "-id")
    for each in earlier[:_MAX_EARLIER_MESSAGES]:
        for detected in detect_contacts(each.text):
            if detected.field == "name":
                return [("name", detected.value, each)]
    return []
