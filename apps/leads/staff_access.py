"""Let Parley's staff read a lead, with a reason that the workspace's owner can see."""

from django.db import transaction

from apps.audit.services import Actor
from apps.audit.staff_access import record_reading
from apps.leads.models import CapturedField, Lead


@transaction.atomic
def read_with_reason(*, lead: Lead, actor: Actor, reason: str) -> list[CapturedField]:
    """Return the fields that were captured for the lead, newest first.

    The reason is written to the audit log in the same transaction. Raises ValueError if it has
    fewer than 10 characters.
    """
    record_reading(lead, actor=actor, action="lead.read", reason=reason)
    citations = CapturedField.objects.filter(workspace_id=lead.workspace_id, lead=lead)
    return list(citations.order_by("-id"))
