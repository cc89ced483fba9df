"""Changes to leads. Each emits a webhook event and writes an audit entry in its transaction."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.audit.services import Actor, record_change
from apps.core.errors import ValidationFailed
from apps.infrastructure.postgres.rows import first_or_raise
from apps.leads.errors import LeadEmailTaken, LeadNotFound
from apps.leads.fields import LeadFields, merge_metadata
from apps.leads.models import Lead
from apps.leads.payloads import lead_payload
from apps.webhooks.models import EventType
from apps.webhooks.services import emit

API_SOURCE = "api"
"""The default source of a lead that is created over the API."""


@transaction.atomic
def create_lead(
    *, workspace_id: str, chatbot_id: str, fields: LeadFields, actor: Actor
) -> tuple[Lead, bool]:
    """Create a lead, or update the chatbot's lead with this email. Return it and whether it is new.

    `fields` must have an email. Concurrent calls with one email create one lead. Raises
    ValidationFailed.
    """
    lead, is_new = Lead.objects.get_or_create(
        workspace_id=workspace_id,
        chatbot_id=chatbot_id,
        email=fields["email"],
        defaults={"source": API_SOURCE, **to_columns({}, fields)},
    )
    if is_new:
        emit_lead_event(lead=lead, event=EventType.LEAD_CREATED)
        record_change(lead, actor=actor, action="lead.created", fields=sorted(fields))
        return lead, True
    lead = update_lead(workspace_id=workspace_id, lead_id=lead.id, fields=fields, actor=actor)
    return lead, False


@transaction.atomic
def update_lead(*, workspace_id: str, lead_id: str, fields: LeadFields, actor: Actor) -> Lead:
    """Set the given fields; emits nothing if none changes. Raises LeadNotFound, LeadEmailTaken."""
    lead = lock_lead(workspace_id, lead_id)
    changed = apply_changes(lead=lead, fields=fields)
    if changed:
        emit_lead_event(lead=lead, event=EventType.LEAD_UPDATED)
        record_change(lead, actor=actor, action="lead.updated", fields=changed)
    return lead


@transaction.atomic
def delete_lead(*, workspace_id: str, lead_id: str, actor: Actor) -> None:
    """Delete the lead with its citations; messages stay. Raises LeadNotFound."""
    lead = lock_lead(workspace_id, lead_id)
    record_change(lead, actor=actor, action="lead.deleted")
    lead.delete()


def lock_lead(workspace_id: str, lead_id: str) -> Lead:
    """Return the lead, locked until the transaction ends. Raises LeadNotFound."""
    leads = Lead.objects.select_for_update().filter(workspace_id=workspace_id, id=lead_id)
    return first_or_raise(leads, LeadNotFound)


def apply_changes(*, lead: Lead, fields: LeadFields) -> list[str]:
    """Save the changed fields of a locked lead. Return the names of the changed columns, sorted.

    Raises LeadEmailTaken, or ValidationFailed if neither email nor phone would remain.
    """
    columns = to_columns(lead.metadata, fields)
    changed = sorted(name for name, value in columns.items() if getattr(lead, name) != value)
    if not changed:
        return []
    for name in changed:
        setattr(lead, name, columns[name])
    if not (lead.email or lead.phone):
        raise ValidationFailed({"phone": ["A lead without an email address needs its phone."]})
    try:
        with transaction.atomic():
            Lead.objects.filter(workspace_id=lead.workspace_id, id=lead.id).update(
                **{name: columns[name] for name in changed}, updated_at=Now()
            )
    except IntegrityError as error:
        if "leads_one_lead_an_email" not in str(error):
            raise
        raise LeadEmailTaken from None
    lead.refresh_from_db(fields=["updated_at"])
    return changed


def emit_lead_event(*, lead: Lead, event: EventType) -> None:
    """Emit a webhook event with the lead's current data."""
    emit(workspace_id=lead.workspace_id, event=event, data=lead_payload(lead))


def to_columns(metadata: dict[str, Any], fields: LeadFields) -> dict[str, Any]:
    """Convert fields to columns, with merged metadata. Raises ValidationFailed if too large."""
    columns: dict[str, Any] = dict(fields)
    if "phone" in columns:
        columns["phone"] = columns["phone"] or ""
    if "metadata" in columns:
        try:
            columns["metadata"] = merge_metadata(metadata, columns["metadata"])
        except ValueError as error:
            raise ValidationFailed({"metadata": [str(error)]}) from None
    return columns
