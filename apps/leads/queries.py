"""Reads of leads. Each takes its workspace."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.core.ids import is_id
from apps.leads.errors import LeadNotFound
from apps.leads.models import Lead

_TRIGRAM_LENGTH = 3


@dataclass(frozen=True, slots=True)
class LeadPage:
    """Some leads, and where they stand among all that were asked for."""

    leads: list[Lead]
    page: int
    limit: int
    total: int

    @property
    def total_pages(self) -> int:
        """0 where there is nothing."""
        return -(-self.total // self.limit)


def get_lead(workspace_id: str, lead_id: str, *, chatbot_id: str | None = None) -> Lead:
    """The workspace's lead (of this chatbot). Raises LeadNotFound."""
    lead = None
    if is_id(lead_id):
        lead = leads_for(workspace_id, chatbot_id=chatbot_id).filter(id=lead_id).first()
    if lead is None:
        raise LeadNotFound
    return lead


def leads_for(
    workspace_id: str,
    *,
    chatbot_id: str | None = None,
    status: str | None = None,
    source: str | None = None,
    search: str | None = None,
) -> QuerySet[Lead]:
    """The workspace's leads that match everything that is given.

    `search` is found anywhere in a name or an email, in any case. Fewer than three characters are
    found at the beginning alone: an index of trigrams knows nothing of shorter pieces.
    """
    found = Lead.objects.filter(workspace_id=workspace_id)
    if chatbot_id is not None:
        found = found.filter(chatbot_id=chatbot_id)
    if status is not None:
        found = found.filter(status=status)
    if source is not None:
        found = found.filter(source=source)
    if search:
        how = "icontains" if len(search) >= _TRIGRAM_LENGTH else "istartswith"
        found = found.filter(Q(**{f"name__{how}": search}) | Q(**{f"email__{how}": search}))
    return found


def lead_page(leads: QuerySet[Lead], *, page: int, limit: int) -> LeadPage:
    """A page by its number, from 1, newest first; empty behind the last one.

    Only the ids are counted off, from an index; the rows of one page are read.
    """
    total = leads.order_by().count()
    first = (page - 1) * limit
    if first >= total:
        return LeadPage([], page, limit, total)
    ids = leads.order_by("-created_at", "-id").values("id")[first : first + limit]
    rows = Lead.objects.filter(id__in=ids).order_by("-created_at", "-id")
    return LeadPage(list(rows.prefetch_related("captured")), page, limit, total)
