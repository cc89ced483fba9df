"""Write the files of exports, part after part, in background workers.

A worker claims a pending export for some seconds and renews the claim while it writes. The claim of
a worker that died expires, and another worker continues after the last committed part. Workspaces
take turns: next is the one with the fewest exports being written, of those the one served longest
ago.
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
from apps.infrastructure.postgres.claims import claim_next, claim_statement, renewed
from apps.infrastructure.postgres.errors import DATABASE_UNAVAILABLE

log = get_logger(__name__)

MAX_CONCURRENT_EXPORTS = 1
"""Exports of one workspace that are written at the same time: the others' need a worker, too."""
MAX_ATTEMPTS = 5
"""Claims without a written part after which an export fails."""

_NOT_WRITTEN = "The file could not be written. Ask for it again, or for fewer days."
_TOO_LARGE = "The file would be larger than {} MiB. Ask for fewer days at a time."
_TOO_MANY_BYTES = "This workspace keeps {:,} MiB of exports. Delete one, then ask again."

_ACTIVE = "status = 'running' AND claimed_until > statement_timestamp()"
# Of a workspace, the export that has waited longest since its last claim, so that long exports do
# not hold up short ones.
_CLAIM = claim_statement(
    table="conversations_export",
    join=f"""
      JOIN LATERAL (
        SELECT count(*) FILTER (WHERE {_ACTIVE}) AS running, max(claimed_at) AS served_at
        FROM conversations_export AS other
        WHERE other.workspace_id = conversations_export.workspace_id
      ) AS share ON true""",  # noqa: S608 - a constant of ours
    active=_ACTIVE,
    group="workspace_id",
    due="status IN ('pending', 'running')"
    " AND coalesce(claimed_until <= statement_timestamp(), true)",
    order_by="share.running, share.served_at NULLS FIRST, coalesce(claimed_at, created_at), id",
    assign="status = 'running', claim = %(claim)s, attempts = attempts + 1,"
    " claimed_at = statement_timestamp()",
)


def write_pending_exports(*, max_seconds: float) -> bool:
    """Write pending exports until there is none or the time is up. Return whether some are left."""
    deadline = time.monotonic() + max_seconds
    while (export := claim_next_export()) is not None:
        _try_to_write(export, deadline)
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


def _try_to_write(export: Export, deadline: float) -> None:
    """Write parts. A failure ends this attempt, and nothing else: the claim expires."""
    try:
        with renewed(lambda: _renew_claim(export), seconds=settings.EXPORT_CLAIM_SECONDS):
            is_paused = _write(export, deadline)
    except DATABASE_UNAVAILABLE:
        raise
    except Exception:
        log.exception("export_attempt_failed", export_id=export.id)
        return
    if is_paused:
        _update_claimed(export, claimed_until=None)


def _renew_claim(export: Export) -> None:
    seconds = timedelta(seconds=settings.EXPORT_CLAIM_SECONDS)
    _update_claimed(export, claimed_until=Now() + seconds)


def _write(export: Export, deadline: float) -> bool:
    """Write parts until the file is complete, the time is up or the claim is lost.

    Returns whether there are more to write and the claim is still ours.
    """
    if export.attempts > MAX_ATTEMPTS:
        log.error("export_failed", export_id=export.id)
        _fail(export, _NOT_WRITTEN)
        return False
    if export.conversations_total is None:
        _update_claimed(export, conversations_total=matching_conversations(export).count())
    while True:
        part = build_next_part(export, max_rows=settings.EXPORT_PART_ROWS)
        if export.size + len(part.body) > settings.EXPORT_MOST_BYTES:
            _fail(export, _TOO_LARGE.format(settings.EXPORT_MOST_BYTES // 2**20))
            return False
        if not _has_room(export, part):
            _fail(export, _TOO_MANY_BYTES.format(settings.MAX_EXPORTED_BYTES // 2**20))
            return False
        if not save_part(export, part) or part.is_last:
            return False
        if time.monotonic() >= deadline:
            return True
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
