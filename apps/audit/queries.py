"""Reads of the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from apps.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for; what is empty is not.

    who: a part of the actor's email address or key's name, in any case; what: how the action
    begins, such as `member` or `member.removed`; since and before: from this moment, and until
    just before that one.
    """

    who: str = ""
    what: str = ""
    since: datetime | None = None
    before: datetime | None = None


def entries_of(workspace_id: str) -> QuerySet[AuditEntry]:
    """What was done in or to a workspace, newest first."""
    return AuditEntry.objects.filter(workspace_id=workspace_id).order_by("-created_at", "-id")


def entries_like(workspace_id: str, looked: Looked) -> QuerySet[AuditEntry]:
    """What was done in or to a workspace and is looked for, newest first."""
    entries = entries_of(workspace_id)
    if looked.who:
        entries = entries.filter(actor_label__icontains=looked.who)
    if looked.what:
        entries = entries.filter(action__startswith=looked.what)
    if looked.since:
        entries = entries.filter(created_at__gte=looked.since)
    if looked.before:
        entries = entries.filter(created_at__lt=looked.before)
    return entries
