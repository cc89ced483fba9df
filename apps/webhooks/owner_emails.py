"""Mail to the owners of an endpoint that Parley has switched off."""

from __future__ import annotations

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string

from apps.infrastructure.postgres.claims import lock_first
from apps.webhooks.models import DisabledReason, Endpoint
from apps.workspaces.queries import owners_for


def email_owners() -> int:
    """Mail the owners of each endpoint that was switched off for them. Returns how many endpoints.

    Each is told of in a transaction of its own, with the row locked while the mail is handed
    over: it is marked if and only if the mail server took it, and two workers never both send it.
    """
    told = 0
    while _email_next_owners():
        told += 1
    return told


@transaction.atomic
def _email_next_owners() -> bool:
    off = Endpoint.objects.filter(
        disabled_reason__in=[DisabledReason.GONE, DisabledReason.FAILING], owners_told_at=None
    )
    endpoint = lock_first(off, "disabled_at")
    if endpoint is None:
        return False
    given = {"endpoint": endpoint, "reason": DisabledReason(endpoint.disabled_reason).label}
    text = render_to_string("webhooks/endpoint_disabled.txt", given)
    for owner in owners_for(endpoint.workspace_id):
        EmailMessage("A webhook endpoint was disabled", text, to=[owner.email]).send()
    Endpoint.objects.filter(id=endpoint.id).update(owners_told_at=Now())
    return True
