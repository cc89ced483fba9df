"""Reads of exports, and of what goes into them. Each takes its workspace."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from apps.conversations.errors import ExportNotFound, ExportNotReady
from apps.conversations.exports.models import Export, ExportPart, ExportStatus
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Conversation


def exports_for(workspace_id: str) -> QuerySet[Export]:
    """The workspace's exports."""
    return Export.objects.filter(workspace_id=workspace_id)


def get_export(workspace_id: str, export_id: str) -> Export:
    """The workspace's export. Raises ExportNotFound."""
    export = exports_for(workspace_id).filter(id=export_id).first()
    if export is None:
        raise ExportNotFound
    return export


def get_completed_export(workspace_id: str, export_id: str) -> Export:
    """The workspace's export, if its file is whole. Raises ExportNotFound, ExportNotReady."""
    export = get_export(workspace_id, export_id)
    if export.status != ExportStatus.COMPLETED:
        raise ExportNotReady
    return export


def get_part_body(export: Export, number: int) -> bytes | None:
    """The lines of one part; None where it has been deleted meanwhile."""
    parts = ExportPart.objects.filter(workspace_id=export.workspace_id, export=export)
    body = parts.filter(number=number).values_list("body", flat=True).first()
    return None if body is None else bytes(body)


def matching_conversations(export: Export) -> QuerySet[Conversation]:
    """The conversations that an export is of, those that began first in front.

    They are walked by their ids, which never change, so that a message that comes meanwhile moves
    none of them past the place up to which the file is written.
    """
    moments = {"since", "before"} & export.filters.keys()
    filters = export.filters | {
        name: datetime.fromisoformat(export.filters[name]) for name in moments
    }
    found = filter_conversations(export.workspace_id, **filters).filter(
        created_at__lte=export.created_at
    )
    return found.order_by("id")
