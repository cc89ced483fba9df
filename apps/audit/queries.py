"""Reads of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """What is looked for; what is empty is not.

    who: a part of the actor's email address or key's name, in any case; what: how the action
    begins, such as `member` or `member.removed`; since and before: from this moment, and until
    just before that one.
    """

    who: str = ""
    what: str = ""
    since: datetime | None = None
    before: datetime | None = None


def entries_for(workspace_id: str) -> QuerySet[AuditEntry]:
    """What was done in or to a workspace, newest first."""
    return AuditEntry.objects.filter(workspace_id=workspace_id).order_by("-created_at", "-id")


def filter_entries(workspace_id: str, filters: AuditFilters) -> QuerySet[AuditEntry]:
    """What was done in or to a workspace and is looked for, newest first."""
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
