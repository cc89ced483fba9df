"""Email the owners of a workspace when one of its endpoints was disabled automatically."""

from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models.functions import Now
from django.template.loader import render_to_string

from apps.infrastructure.postgres.claims import lock_first
from apps.webhooks.models import DisabledReason, Endpoint
from apps.workspaces.queries import owners_for


def email_owners() -> int:
    """Email the owners of each endpoint that was disabled. Returns the number of endpoints.

    Each endpoint has its own transaction, which locks its row while the emails are sent: it is
    marked only if the mail server accepted them, and two workers never send them both.
    """
    emailed = 0
    while _email_next_owners():
        emailed += 1
    return emailed


@transaction.atomic
def _email_next_owners() -> bool:
    disabled = Endpoint.objects.filter(
        disabled_reason__in=[DisabledReason.GONE, DisabledReason.FAILING], owners_told_at=None
    )
    endpoint = lock_first(disabled, "disabled_at")
    if endpoint is None:
        return False
    context = {"endpoint": endpoint, "reason": DisabledReason(endpoint.disabled_reason).label}
    text = render_to_string("webhooks/endpoint_disabled.txt", context)
    for owner in owners_for(endpoint.workspace_id):
        EmailMessage("A webhook endpoint was disabled", text, to=[owner.email]).send()
    Endpoint.objects.filter(id=endpoint.id).update(owners_told_at=Now())
    return True
