"""Queries for leads of a workspace."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from apps.core.ids import is_id
from apps.infrastructure.postgres.rows import first_or_raise
from apps.leads.errors import LeadNotFound
from apps.leads.models import Lead

_TRIGRAM_LENGTH = 3


@dataclass(frozen=True, slots=True)
class LeadPage:
    """One page of leads. `page` counts from 1; `total` counts the leads of all pages."""

    leads: list[Lead]
    page: int
    limit: int
    total: int

    @property
    def total_pages(self) -> int:
        """The number of pages; 0 without leads."""
        return -(-self.total // self.limit)


def get_lead(workspace_id: str, lead_id: str, *, chatbot_id: str | None = None) -> Lead:
    """Return the workspace's lead, of this chatbot if given. Raises LeadNotFound."""
    if not is_id(lead_id):
        raise LeadNotFound
    leads = leads_for(workspace_id, chatbot_id=chatbot_id)
    return first_or_raise(leads.filter(id=lead_id), LeadNotFound)


def leads_for(
    workspace_id: str,
    *,
    chatbot_id: str | None = None,
    status: str | None = None,
    source: str | None = None,
    search: str | None = None,
) -> QuerySet[Lead]:
    """Return the workspace's leads that match all given filters.

    `search` matches anywhere in the name or email, in any case. Fewer than three characters match
    only at the beginning, because the trigram index cannot find shorter strings.
    """
    leads = Lead.objects.filter(workspace_id=workspace_id)
    if chatbot_id is not None:
        leads = leads.filter(chatbot_id=chatbot_id)
    if status is not None:
        leads = leads.filter(status=status)
    if source is not None:
        leads = leads.filter(source=source)
    if search:
        lookup = "icontains" if len(search) >= _TRIGRAM_LENGTH else "istartswith"
        leads = leads.filter(Q(**{f"name__{lookup}": search}) | Q(**{f"email__{lookup}": search}))
    return leads


def lead_page(leads: QuerySet[Lead], *, page: int, limit: int) -> LeadPage:
    """Return a page of leads, newest first. Pages after the last are empty."""
    total = leads.order_by().count()
    offset = (page - 1) * limit
    if offset >= total:
        return LeadPage([], page, limit, total)
    # The offset skips ids in an index; full rows are read for one page only.
    ids = leads.order_by("-created_at", "-id").values("id")[offset : offset + limit]
    rows = Lead.objects.filter(id__in=ids).order_by("-created_at", "-id")
    return LeadPage(list(rows.prefetch_related("captured")), page, limit, total)
