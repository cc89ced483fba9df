"""Reads of the audit log."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.audit.models import AuditEntry


def entries_of(workspace_id: str) -> QuerySet[AuditEntry]:
    """What was done in or to a workspace, newest first."""
    return AuditEntry.objects.filter(workspace_id=workspace_id).order_by("-created_at", "-id")
