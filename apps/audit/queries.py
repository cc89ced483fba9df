"""Read the audit log."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """Filters of audit entries. An empty filter matches everything.

    who: part of the actor's email address or key name, case-insensitive; what: the beginning of
    the action, such as `member` or `member.removed`; since (inclusive) and before (exclusive).
    """

    who: str = ""
    what: str = ""
    since: datetime | None = None
    before: datetime | None = None


def entries_for(workspace_id: str) -> QuerySet[AuditEntry]:
    """The workspace's audit entries, newest first."""
    return AuditEntry.objects.filter(workspace_id=workspace_id).order_by("-created_at", "-id")


def filter_entries(workspace_id: str, filters: AuditFilters) -> QuerySet[AuditEntry]:
    """The workspace's audit entries that match the filters, newest first."""
    entries = entries_for(workspace_id)
    if filters.who:
        entries = entries.filter(actor_label__icontains=filters.who)
    if filters.what:
        entries = entries.filter(action__startswith=filters.what)
    if filters.since:
        entries = entries.filter(created_at__gte=filters.since)
    if filters.before:
        entries = entries.filter(created_at__lt=filters.before)
    return entries
