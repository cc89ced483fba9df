"""The lead in `metadata.lead` of a chat request."""

from collections.abc import Mapping
from typing import Any, cast

from django.db import transaction
from pydantic import BaseModel, ConfigDict, ValidationError

from apps.api_kit.schemas import error_details
from apps.conversations.models import Message, Role, Turn
from apps.core.errors import ValidationFailed
from apps.leads.capture.saving import get_or_create_lead, lock_conversation, record_capture
from apps.leads.fields import Email, LeadFields, Metadata, Name, Phone, Source
from apps.leads.models import Lead
from apps.leads.services import apply_changes


class LeadMetadata(BaseModel):
    """The shape of `metadata.lead`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    source: Source | None = None
    metadata: Metadata | None = None


def parse_lead_metadata(metadata: Mapping[str, Any] | None) -> LeadFields | None:
    """Return the lead in a chat request's metadata, or None without one.

    Raises ValidationFailed, whose `details` name the fields as `metadata.lead.email`.
    """
    value = (metadata or {}).get("lead")
    if value is None:
        return None
    try:
        lead = LeadMetadata.model_validate(value)
    except ValidationError as error:
        # An error of the whole object is reported under "body".
        paths = {"body": "metadata.lead"}
        found = error_details(error.errors())
        raise ValidationFailed(
            {paths.get(name, f"metadata.lead.{name}"): found[name] for name in found}
        ) from None
    if lead.email is None and lead.phone is None:
        raise ValidationFailed({"metadata.lead": ["Give an email address or a phone number."]})
    return cast(LeadFields, lead.model_dump(exclude_none=True))


@transaction.atomic
def capture_from_metadata(*, turn: Turn, fields: LeadFields) -> Lead:
    """Create or update the lead that came with a turn's message."""
    message = Message.objects.get(workspace_id=turn.workspace_id, turn=turn, role=Role.USER)
    lock_conversation(turn)
    lead, is_new = get_or_create_lead(turn, fields)
    changed = [] if is_new else apply_changes(lead=lead, fields=fields)
    citations = [
        (field, str(fields[field]), message)
        for field in ("name", "email", "phone")
        if field in fields
    ]
    record_capture(lead, citations, is_new=is_new, is_changed=bool(changed))
    return lead
