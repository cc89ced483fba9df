"""Request and delete exports."""

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
from apps.conversations.exports.queries import exported_bytes, exports_for
from apps.conversations.filters import RatedFilter
from apps.conversations.models.export import UNFINISHED_STATUSES, Export
from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.services import lock_workspace

WRITE_EXPORTS = "apps.conversations.tasks.write_exports"
MAX_UNFINISHED_EXPORTS = 3
MAX_EXPORTS = 50
_DELETE_BATCH_SIZE = 100


@dataclass(frozen=True, slots=True)
class ExportFilters:
    """Filters for the exported conversations, as for `filter_conversations`."""

    search: str | None = None
    chatbot_id: str | None = None
    status: str | None = None
    source: str | None = None
    has_lead: bool | None = None
    rated: RatedFilter | None = None
    since: datetime | None = None
    before: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the given filters for the `filters` column, with times as text."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in given.items()
        }


@transaction.atomic
def request_export(
    *, workspace_id: str, file_format: str, filters: ExportFilters, actor: Actor
) -> Export:
    """Create an export of the workspace's conversations as of now, which a worker writes.

    Raises ChatbotNotFound or TooManyExports, and NotFound if the workspace is closed.
    """
    lock_workspace(workspace_id=workspace_id)
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
    if exported_bytes(workspace_id) >= settings.MAX_EXPORTED_BYTES:
        mebibytes = settings.MAX_EXPORTED_BYTES // 2**20
        raise TooManyExports(
            f"Delete an export first: this workspace keeps {mebibytes:,} MiB of exports."
        )
    export = Export.objects.create(
        workspace_id=workspace_id,
        format=file_format,
        filters=filters.to_json(),
        asked_by=actor.label[:300],
    )
    export.refresh_from_db()
    # The search text may quote a person, and the audit log cannot be erased.
    logged = {name: value for name, value in export.filters.items() if name != "search"}
    record_change(
        export, actor=actor, action="conversations.exported", format=file_format, **logged
    )
    send_task_on_commit(WRITE_EXPORTS)
    return export


@transaction.atomic
def delete_export(*, export: Export, actor: Actor) -> None:
    """Delete an export and its file, also while it is being written."""
    exports_for(export.workspace_id).filter(id=export.id).delete()
    record_change(export, actor=actor, action="export.deleted")


def delete_expired_exports() -> int:
    """Delete exports that are older than EXPORT_KEPT_DAYS. Return how many."""
    oldest = Now() - timedelta(days=settings.EXPORT_KEPT_DAYS)
    expired = Export.objects.filter(created_at__lt=oldest).order_by("created_at")
    deleted = 0
    while ids := list(expired.values_list("id", flat=True)[:_DELETE_BATCH_SIZE]):
        Export.objects.filter(id__in=ids).delete()
        deleted += len(ids)
    return deleted
