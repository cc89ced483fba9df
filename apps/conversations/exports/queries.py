"""Queries for the exports of a workspace and the conversations they contain."""

from datetime import datetime

from django.db.models import QuerySet, Sum

from apps.conversations.errors import ExportNotFound, ExportNotReady
from apps.conversations.filters import filter_conversations
from apps.conversations.models import Conversation
from apps.conversations.models.export import Export, ExportPart, ExportStatus
from apps.infrastructure.postgres.rows import first_or_raise


def exports_for(workspace_id: str) -> QuerySet[Export]:
    """Return the workspace's exports."""
    return Export.objects.filter(workspace_id=workspace_id)


def exported_bytes(workspace_id: str) -> int:
    """Return the size of all files of the workspace's exports, also of those being written."""
    return int(exports_for(workspace_id).aggregate(sum=Sum("size"))["sum"] or 0)


def get_export(workspace_id: str, export_id: str) -> Export:
    """Return the workspace's export. Raises ExportNotFound."""
    return first_or_raise(exports_for(workspace_id).filter(id=export_id), ExportNotFound)


def get_completed_export(workspace_id: str, export_id: str) -> Export:
    """Return the workspace's completed export. Raises ExportNotFound or ExportNotReady."""
    export = get_export(workspace_id, export_id)
    if export.status != ExportStatus.COMPLETED:
        raise ExportNotReady
    return export


def get_part_body(export: Export, number: int) -> bytes | None:
    """Return the content of a part, None if it has been deleted."""
    parts = ExportPart.objects.filter(workspace_id=export.workspace_id, export=export)
    body = parts.filter(number=number).values_list("body", flat=True).first()
    return None if body is None else bytes(body)


def matching_conversations(export: Export) -> QuerySet[Conversation]:
    """Return the conversations of an export, ordered by id.

    Ids never change, so new messages do not move a conversation past the written position.
    """
    times = {
        name: datetime.fromisoformat(export.filters[name])
        for name in ("since", "before")
        if name in export.filters
    }
    conversations = filter_conversations(export.workspace_id, **(export.filters | times))
    return conversations.filter(created_at__lte=export.created_at).order_by("id")
