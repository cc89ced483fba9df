"""Leads from conversations: what the caller says of the visitor, and what the visitor writes.

    given_in       metadata.lead of a chat request, checked before anything is paid
    take_given     the same, made into a lead as soon as the turn is open
    read_turns     messages of chatbots that capture leads, read for contact details afterwards

An email address names a lead; details without one belong to the lead of their conversation. What
a caller gives overwrites, for it is an integrator's word; what is found in a message only fills
what is empty. Either way the detail cites its message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from pydantic import BaseModel, ConfigDict, ValidationError

from apps.api_kit.schemas import error_details
from apps.chatbots.models import LeadCapture
from apps.conversations.models import Message, Role, Turn
from apps.core.errors import ValidationFailed
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE
from apps.leads.detection import DetectedField, detect_contacts
from apps.leads.fields import Email, LeadFields, Metadata, Name, Phone, Source
from apps.leads.models import CapturedField, Lead, Reading
from apps.leads.services import apply_changes, emit_lead_event, to_columns
from apps.webhooks.models import EventType

log = get_logger(__name__)

CHAT_SOURCE = "chat"
"""The source of a lead that a conversation made."""

Detail = tuple[str, str, Message]
"""A field, its value, and the message that gave it."""

_MOST_AT_ONCE = 500
_LOOKED_BACK = 20


class LeadMetadata(BaseModel):
    """`metadata.lead` of a chat request."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    source: Source | None = None
    metadata: Metadata | None = None


def parse_lead_metadata(metadata: Mapping[str, Any] | None) -> LeadFields | None:
    """The lead in a chat request's metadata, if any. Raises ValidationFailed, in which
    `details` name the fields as `metadata.lead.email`."""
    value = (metadata or {}).get("lead")
    if value is None:
        return None
    try:
        given = LeadMetadata.model_validate(value)
    except ValidationError as error:
        found = error_details(error.errors())
        raise ValidationFailed({_place(name): said for name, said in found.items()}) from None
    if given.email is None and given.phone is None:
        raise ValidationFailed({"metadata.lead": ["Give an email address or a phone number."]})
    return cast(LeadFields, given.model_dump(exclude_none=True))


def _place(name: str) -> str:
    return "metadata.lead" if name == "body" else f"metadata.lead.{name}"


@transaction.atomic
def capture_from_metadata(*, turn: Turn, fields: LeadFields) -> Lead:
    """Make or change the lead that came with a turn's message."""
    message = Message.objects.get(workspace_id=turn.workspace_id, turn=turn, role=Role.USER)
    _one_at_a_time(turn)
    lead, is_new = _lead_for(turn, fields)
    changed = [] if is_new else apply_changes(lead=lead, fields=fields)
    details = [
        (field, str(fields[field]), message)
        for field in ("name", "email", "phone")
        if field in fields
    ]
    _tell(lead, is_new=is_new, changed=bool(changed) | _cite(lead, details))
    return lead


def scan_new_turns() -> int:
    """Read the messages that nobody has read yet; how many were. Safe to run twice at once.

    Looks no further back than LEAD_READING_HOURS: a message that waited longer is not read.
    """
    oldest = Now() - timedelta(hours=settings.LEAD_READING_HOURS)
    unread = Turn.objects.filter(
        workspace_id=F("chatbot__workspace_id"),
        chatbot__lead_capture__in=[LeadCapture.DETECT, LeadCapture.ASK],
        created_at__gt=oldest,
    ).filter(~Exists(Reading.objects.filter(turn=OuterRef("pk"))))
    turns = list(unread.order_by("created_at", "id")[:_MOST_AT_ONCE])
    Reading.objects.filter(created_at__lt=oldest - timedelta(hours=1)).delete()
    return sum(_read(turn) for turn in turns)


def _read(turn: Turn) -> bool:
    """Read one; a message that cannot be read must not stand in the way of those behind it."""
    try:
        return scan_turn(turn=turn)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:
        log.exception("turn_not_read", turn_id=turn.id)
        return False


@transaction.atomic
def scan_turn(*, turn: Turn) -> bool:
    """Make or fill a lead from what the visitor wrote; False where it has been read before."""
    _one_at_a_time(turn)
    _, is_new = Reading.objects.get_or_create(turn=turn, workspace_id=turn.workspace_id)
    if not is_new:
        return False
    message = Message.objects.filter(
        workspace_id=turn.workspace_id, turn=turn, role=Role.USER
    ).first()
    if message is not None:
        _take_found(turn, message, detect_contacts(message.text))
    return True


def _take_found(turn: Turn, message: Message, found: list[DetectedField]) -> None:
    first: dict[str, str] = {each.field: each.value for each in reversed(found)}
    details: list[Detail] = [(each.field, each.value, message) for each in found]
    if "email" not in first and "phone" not in first and _lead_of_conversation(turn) is None:
        return  # a name alone is no way to reach anybody
    lead, is_new = _lead_for(turn, cast(LeadFields, first))
    if not lead.name and "name" not in first:
        details += _names_before(message)
        first |= {field: value for field, value, _ in details if field == "name"}
    empty = {name: value for name, value in first.items() if not getattr(lead, name)}
    changed = apply_changes(lead=lead, fields=cast(LeadFields, empty))
    _tell(lead, is_new=is_new, changed=bool(changed) | _cite(lead, details))


def _lead_for(turn: Turn, fields: LeadFields) -> tuple[Lead, bool]:
    """The lead with this email, else the conversation's unless it has another, locked; else a
    new one with these fields. And whether it is new."""
    email = fields.get("email")
    leads = Lead.objects.select_for_update().filter(
        workspace_id=turn.workspace_id, chatbot_id=turn.chatbot_id
    )
    lead = leads.filter(email=email).first() if email else None
    lead = lead or _lead_of_conversation(turn)
    if lead is not None and (not email or lead.email in (None, email)):
        return lead, False
    start = {
        "conversation_id": turn.conversation_id,
        "source": CHAT_SOURCE,
        **to_columns({}, fields),
    }
    by = {"email": email} if email else {"email": None, "conversation_id": turn.conversation_id}
    return leads.get_or_create(
        workspace_id=turn.workspace_id, chatbot_id=turn.chatbot_id, **by, defaults=start
    )


def _lead_of_conversation(turn: Turn) -> Lead | None:
    """The newest lead that the conversation made or spoke of, locked."""
    spoken_of = CapturedField.objects.filter(
        lead=OuterRef("pk"), message__conversation_id=turn.conversation_id
    )
    found = Lead.objects.select_for_update().filter(
        Q(conversation_id=turn.conversation_id) | Exists(spoken_of),
        workspace_id=turn.workspace_id,
        chatbot_id=turn.chatbot_id,
    )
    return found.order_by("-created_at", "-id").first()


def _names_before(message: Message) -> list[Detail]:
    """The name that the visitor said last in earlier messages, with the message."""
    earlier = Message.objects.filter(
        workspace_id=message.workspace_id,
        conversation_id=message.conversation_id,
        role=Role.USER,
        created_at__lt=message.created_at,
    ).order_by("-created_at", "-id")
    for each in earlier[:_LOOKED_BACK]:
        for found in detect_contacts(each.text):
            if found.field == "name":
                return [("name", found.value, each)]
    return []


def _cite(lead: Lead, details: Iterable[Detail]) -> bool:
    """Keep what was captured and from which message, once a conversation; whether any is new."""
    known = set(lead.captured.values_list("field", "value", "message__conversation_id"))
    rows = []
    for field, value, message in details:
        if (field, value, message.conversation_id) not in known:
            known.add((field, value, message.conversation_id))
            row = CapturedField(lead=lead, message=message, field=field, value=value)
            row.workspace_id = lead.workspace_id
            rows.append(row)
    CapturedField.objects.bulk_create(rows)
    return bool(rows)


def _tell(lead: Lead, *, is_new: bool, changed: bool) -> None:
    if is_new:
        emit_lead_event(lead=lead, event=EventType.LEAD_CREATED)
    elif changed:
        emit_lead_event(lead=lead, event=EventType.LEAD_UPDATED)


def _one_at_a_time(turn: Turn) -> None:
    """Wait for whoever makes a lead of this conversation. The chat itself never waits for this:
    the lock is on a number, on no row that a turn touches."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [turn.conversation_id]
        )
