"""Detect contact details in visitors' messages, some seconds after they were sent.

Workspaces take turns: a run reads the first message of each, then the second of each, and so on,
so that one workspace's many or difficult messages do not delay the others'.
"""

import time
from datetime import timedelta
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Window
from django.db.models.functions import Now, RowNumber

from apps.chatbots.models import LeadCapture
from apps.conversations.models import Message, Role, Turn
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.leads.capture.saving import (
    Citation,
    find_conversation_lead,
    get_or_create_lead,
    record_capture,
    try_lock_conversation,
)
from apps.leads.detection import DetectedField, detect_contacts, detect_name
from apps.leads.fields import LeadFields
from apps.leads.models import CapturedField, Lead, Reading
from apps.leads.services import apply_changes

log = get_logger(__name__)

MAX_PER_WORKSPACE = 10
"""Messages of one workspace in a batch."""
_BATCH_SIZE = 200
_MAX_SECONDS = 4.0
# Below the interval of the schedule, so that runs do not pile up.
_MAX_EARLIER_MESSAGES = 20


def scan_new_turns(*, max_seconds: float = _MAX_SECONDS) -> int:
    """Scan the messages of turns that have not been scanned; return how many. Safe to run twice.

    Only turns of the last LEAD_READING_HOURS are scanned; older ones are skipped.
    """
    deadline = time.monotonic() + max_seconds
    oldest = Now() - timedelta(hours=settings.LEAD_READING_HOURS)
    Reading.objects.filter(created_at__lt=oldest - timedelta(hours=1)).delete()
    total = 0
    while turns := next_turns():
        scanned = 0
        for turn in turns:
            scanned += _try_scan(turn)
            if time.monotonic() >= deadline:
                return total + scanned
        total += scanned
        if scanned == 0:  # all of them failed, or another worker has them
            break
    return total


def next_turns() -> list[Turn]:
    """Return the next turns to scan, of all workspaces in turn, each workspace's oldest first."""
    oldest = Now() - timedelta(hours=settings.LEAD_READING_HOURS)
    unread = Turn.objects.filter(
        workspace_id=F("chatbot__workspace_id"),
        chatbot__lead_capture__in=[LeadCapture.DETECT, LeadCapture.ASK],
        created_at__gt=oldest,
    ).filter(~Exists(Reading.objects.filter(turn=OuterRef("pk"))))
    place = Window(RowNumber(), partition_by="workspace_id", order_by=["created_at", "id"])
    waiting = unread.annotate(place=place).filter(place__lte=MAX_PER_WORKSPACE)
    return list(waiting.order_by("place", "created_at", "id")[:_BATCH_SIZE])


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
    """Create or fill a lead from the visitor's message. Return False if scanned before.

    Also False while another worker is at work on the conversation: the turn is scanned later.
    """
    if not try_lock_conversation(turn):
        return False
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
    if not lead.name and "name" not in first and _is_first_citation(lead, message):
        citations += _earlier_name(message)
        first |= {field: value for field, value, _ in citations if field == "name"}
    empty = {name: value for name, value in first.items() if not getattr(lead, name)}
    changed = apply_changes(lead=lead, fields=cast(LeadFields, empty))
    record_capture(lead, citations, is_new=is_new, is_changed=bool(changed))


def _is_first_citation(lead: Lead, message: Message) -> bool:
    """Return whether no earlier message of the conversation has details of the lead.

    From then on each message is searched for a name as it is scanned.
    """
    cited = CapturedField.objects.filter(
        lead=lead, message__conversation_id=message.conversation_id
    )
    return not cited.exclude(message=message).exists()


def _earlier_name(message: Message) -> list[Citation]:
    """Return the last name that the visitor gave before this message, with its message."""
    earlier = Message.objects.filter(
        workspace_id=message.workspace_id,
        conversation_id=message.conversation_id,
        role=Role.USER,
        created_at__lt=message.created_at,
    ).order_by("-created_at", "-id")
    for each in earlier[:_MAX_EARLIER_MESSAGES]:
        name = detect_name(each.text)
        if name is not None:
            return [("name", name.value, each)]
    return []
