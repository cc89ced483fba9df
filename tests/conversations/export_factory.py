"""Exports for tests, created and written by the product's own services."""

from __future__ import annotations

from apps.audit.services import SYSTEM
from apps.conversations.exports.services import ExportFilters, request_export
from apps.conversations.exports.writer import write_pending_exports
from apps.conversations.models.export import Export, ExportPart
from apps.workspaces.models import Workspace


def make_pending_export(
    workspace: Workspace, file_format: str = "jsonl", filters: ExportFilters | None = None
) -> Export:
    """An export that no worker has started to write."""
    return request_export(
        workspace_id=workspace.id,
        file_format=file_format,
        filters=filters or ExportFilters(),
        actor=SYSTEM,
    )


def make_export(
    workspace: Workspace, file_format: str = "jsonl", filters: ExportFilters | None = None
) -> Export:
    """A completed export."""
    export = make_pending_export(workspace, file_format, filters)
    write_pending_exports(max_seconds=60)
    export.refresh_from_db()
    return export


def read_file(export: Export) -> str:
    """The content of the file written so far."""
    parts = ExportPart.objects.filter(export=export).order_by("number")
    return b"".join(bytes(body) for body in parts.values_list("body", flat=True)).decode()
