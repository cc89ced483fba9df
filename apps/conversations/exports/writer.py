"""Write the files of exports, part after part, in background workers.

A worker claims a pending export for some seconds and renews the claim with each part. The claim of
a worker that died expires, and another worker continues after the last committed part.
"""

import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.conversations.exports.parts import Part, build_next_part
from apps.conversations.exports.queries import exported_bytes, matching_conversations
from apps.conversations.models.export import Export, ExportPart, ExportStatus
from apps.core.ids import new_id
from apps.infrastructure.logging import get_logger
from apps.infrastructure.postgres.claims import claim_next, claim_statement

log = get_logger(__name__)

MAX_CONCURRENT_EXPORTS = 2
"""Exports of one workspace that are written at the same time."""
MAX_ATTEMPTS = 5
"""Claims without a written part after which an export fails."""

_NOT_WRITTEN = "The file could not be written. Ask for it again, or for fewer days."
_TOO_LARGE = "The file would be larger than {} MiB. Ask for fewer days at a time."
_TOO_MANY_BYTES = "This workspace keeps {:,} MiB of exports. Delete one, then ask again."

# The export that has waited longest since its last claim, so that long exports do not hold up
# short ones.
_CLAIM = claim_statement(
    table="conversations_export",
    active="status = 'running' AND claimed_until > statement_timestamp()",
    group="workspace_id",
    due="status IN ('pending', 'running')"
    " AND coalesce(claimed_until <= statement_timestamp(), true)",
    order_by="coalesce(claimed_at, created_at), id",
    assign="status = 'running', claim = %(claim)s, attempts = attempts + 1,"
    " claimed_at = statement_timestamp()",
)


def write_pending_exports(*, max_seconds: float) -> bool:
    """Write pending exports until there is none or the time is up. Return whether some are left."""
    deadline = time.monotonic() + max_seconds
    while (export := claim_next_export()) is not None:
        _write(export, deadline)
        if time.monotonic() >= deadline:
            return True
    return False


def claim_next_export() -> Export | None:
    """Claim the export that has waited longest."""
    export_id = claim_next(
        _CLAIM,
        max_per_group=MAX_CONCURRENT_EXPORTS,
        seconds=settings.EXPORT_CLAIM_SECONDS,
        claim=new_id(),
    )
    return None if export_id is None else Export.objects.filter(id=export_id).first()


def _write(export: Export, deadline: float) -> None:
    """Write parts until the file is complete, the time is up or the claim is lost."""
    if export.attempts > MAX_ATTEMPTS:
        log.error("export_failed", export_id=export.id)
        _fail(export, _NOT_WRITTEN)
        return
    if export.conversations_total is None:
        _update_claimed(export, conversations_total=matching_conversations(export).count())
    while True:
        part = build_next_part(export, max_rows=settings.EXPORT_PART_ROWS)
        if export.size + len(part.body) > settings.EXPORT_MOST_BYTES:
            _fail(export, _TOO_LARGE.format(settings.EXPORT_MOST_BYTES // 2**20))
            return
        if not _has_room(export, part):
            _fail(export, _TOO_MANY_BYTES.format(settings.MAX_EXPORTED_BYTES // 2**20))
            return
        if not save_part(export, part) or part.is_last:
            return
        if time.monotonic() >= deadline:
            _update_claimed(export, claimed_until=None)
            return
        export.refresh_from_db()


def _has_room(export: Export, part: Part) -> bool:
    """Whether the workspace may keep the part. Its other exports may grow by a part meanwhile."""
    stored = exported_bytes(export.workspace_id)
    return bool(stored + len(part.body) <= settings.MAX_EXPORTED_BYTES)


@transaction.atomic
def save_part(export: Export, part: Part) -> bool:
    """Save the part and the position after it. Return False if another worker has the claim."""
    fields: dict[str, Any] = {
        "conversations_done": F("conversations_done") + part.conversations,
        "rows": F("rows") + part.rows,
        "size": F("size") + len(part.body),
        "parts": F("parts") + 1,
        "after_conversation_id": part.position.conversation_id,
        "after_message_at": part.position.message_at,
        "after_message_id": part.position.message_id,
        "attempts": 0,
        "claimed_until": Now() + timedelta(seconds=settings.EXPORT_CLAIM_SECONDS),
    }
    if part.is_last:
        fields |= {"status": ExportStatus.COMPLETED, "finished_at": Now(), "claimed_until": None}
    if not _update_claimed(export, **fields):
        return False
    ExportPart.objects.create(
        workspace_id=export.workspace_id, export=export, number=export.parts, body=part.body
    )
    return True


def _update_claimed(export: Export, **fields: Any) -> bool:
    """Update the export if it is still claimed by this worker. Return whether it was."""
    claimed = Export.objects.filter(
        workspace_id=export.workspace_id,
        id=export.id,
        status=ExportStatus.RUNNING,
        claim=export.claim,
    )
    return bool(claimed.update(**fields))


@transaction.atomic
def _fail(export: Export, message: str) -> None:
    """End the export, without the parts, which nobody could download."""
    ended = {"status": ExportStatus.FAILED, "finished_at": Now(), "claimed_until": None}
    if _update_claimed(export, error=message, size=0, **ended):
        ExportPart.objects.filter(workspace_id=export.workspace_id, export=export).delete()
