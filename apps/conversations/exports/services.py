"""Asking for exports, and letting them go."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from apps.audit.services import Actor, record_change
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.conversations.errors import TooManyExports
from apps.conversations.exports.models import UNFINISHED_STATUSES, Export
from apps.conversations.exports.queries import exports_for
from apps.conversations.filters import RatedFilter
from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.models import Workspace

WRITE_EXPORTS = "apps.conversations.tasks.write_exports"
MAX_UNFINISHED_EXPORTS = 3
MAX_EXPORTS = 50
_PRUNED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ExportFilters:
    """Which conversations: those that the list would show, by the same filters."""

    search: str | None = None
    chatbot_id: str | None = None
    status: str | None = None
    source: str | None = None
    has_lead: bool | None = None
    rated: RatedFilter | None = None
    since: datetime | None = None
    before: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """What is given, as it is kept: moments as text."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in given.items()
        }


@transaction.atomic
def request_export(
    *, workspace_id: str, file_format: str, filters: ExportFilters, actor: Actor
) -> Export:
    """An export of what the workspace's conversations are now, to be written by a worker.

    Raises ChatbotNotFound, TooManyExports.
    """
    Workspace.objects.select_for_update(no_key=True).get(id=workspace_id)
    if filters.chatbot_id is not None:
        chatbots = Chatbot.objects.filter(workspace_id=workspace_id, id=filters.chatbot_id)
        if not chatbots.exists():
            raise ChatbotNotFound
    exports = exports_for(workspace_id)
    if exports.filter(status__in=UNFINISHED_STATUSES).count() >= MAX_UNFINISHED_EXPORTS:
        raise TooManyExports(
            f"Wait for an export: {MAX_UNFINISHED_EXPORTS} of this workspace are not finished yet."
        )
    if exports.count() >= MAX_EXPORTS:
        raise TooManyExports(f"Delete an export first: this workspace keeps {MAX_EXPORTS}.")
    export = Export.objects.create(
        workspace_id=workspace_id,
        format=file_format,
        filters=filters.to_json(),
        asked_by=actor.label[:300],
    )
    export.refresh_from_db()
    # What was looked for may be somebody's words: the log keeps that, not them.
    told = {name: value for name, value in export.filters.items() if name != "search"}
    record_change(export, actor=actor, action="conversations.exported", format=file_format, **told)
    send_task_on_commit(WRITE_EXPORTS)
    return export


@transaction.atomic
def delete_export(*, export: Export, actor: Actor) -> None:
    """Delete an export with its file; what is still being written stops."""
    exports_for(export.workspace_id).filter(id=export.id).delete()
    record_change(export, actor=actor, action="export.deleted")


def delete_expired_exports() -> int:
    """Delete what is older than it is kept. Returns how many."""
    oldest = Now() - timedelta(days=settings.EXPORT_KEPT_DAYS)
    old = Export.objects.filter(created_at__lt=oldest).order_by("created_at")
    deleted = 0
    while ids := list(old.values_list("id", flat=True)[:_PRUNED_AT_ONCE]):
        Export.objects.filter(id__in=ids).delete()
        deleted += len(ids)
    return deleted
