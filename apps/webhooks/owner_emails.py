"""Email the owners of a workspace when one of its endpoints was disabled automatically."""

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.core.text import name_in_email
from apps.infrastructure.isolation import sum_each
from apps.infrastructure.postgres.claims import lock_first
from apps.webhooks.models import DisabledReason, Endpoint
from apps.workspaces.letters import LetterText
from apps.workspaces.models import Letter, LetterKind
from apps.workspaces.queries import owners_for
from apps.workspaces.services import queue_letters

BATCH_SIZE = 500
_AUTOMATIC = (DisabledReason.GONE, DisabledReason.FAILING)


def email_owners() -> int:
    """Write letters to the owners of each endpoint that was disabled. Return how many endpoints.

    Each endpoint has its own transaction and is marked in it, so that two workers never both
    write them, and a failure stops no other.
    """
    ids = _disabled().order_by("disabled_at").values_list("id", flat=True)
    return sum_each(list(ids[:BATCH_SIZE]), _email_owners_of, event="endpoint_owners_not_emailed")


def _disabled() -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(disabled_reason__in=_AUTOMATIC, owners_told_at=None)


@transaction.atomic
def _email_owners_of(endpoint_id: str) -> bool:
    endpoint = lock_first(_disabled().filter(id=endpoint_id))
    if endpoint is None:
        return False
    queue_letters(
        workspace_id=endpoint.workspace_id,
        kind=LetterKind.ENDPOINT_DISABLED,
        subject_id=endpoint.id,
        recipients=[owner.email for owner in owners_for(endpoint.workspace_id)],
    )
    Endpoint.objects.filter(id=endpoint.id).update(owners_told_at=Now())
    return True


def disabled_text(letter: Letter) -> LetterText | None:
    """An endpoint was disabled, unless it has been enabled again or deleted."""
    endpoints = Endpoint.objects.filter(
        workspace_id=letter.workspace_id, id=letter.subject_id, disabled_reason__in=_AUTOMATIC
    )
    endpoint = endpoints.first()
    if endpoint is None:
        return None
    context = {
        "endpoint": endpoint,
        "workspace_name": name_in_email(letter.workspace.name),
        "reason": DisabledReason(endpoint.disabled_reason).label,
    }
    return LetterText("webhooks/email/endpoint_disabled", context)
