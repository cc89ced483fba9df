"""Writing what was asked for: a claim for a few seconds, part after part, then somebody else's.

Nobody is asked to write a certain export, only to look: being asked twice, or by the clock, is
the same. A worker that dies leaves a claim that ends, and the next one goes on behind the last part
that was committed.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.conversations.exports.models import Export, ExportPart, ExportStatus
from apps.conversations.exports.parts import Part, build_next_part
from apps.conversations.exports.queries import matching_conversations
from apps.core.ids import new_id
from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

MAX_CONCURRENT_EXPORTS = 2
"""Exports of one workspace that are written at a moment."""
MAX_ATTEMPTS = 5
"""Claims that end without a part before an export is given up."""

_NOT_WRITTEN = "The file could not be written. Ask for it again, or for fewer days."
_TOO_LARGE = "The file would be larger than {} MiB. Ask for fewer days at a time."

# The one that has waited longest since somebody wrote at it, so that a short one is not kept by a
# long one. Two workers who look at the same moment may go over the number by one; no harm.
_CLAIM = """
WITH busy AS (
  SELECT workspace_id FROM conversations_export
  WHERE status = 'running' AND claimed_until > statement_timestamp()
  GROUP BY workspace_id HAVING count(*) >= %(most)s
), due AS (
  SELECT id FROM conversations_export
  WHERE status IN ('pending', 'running')
    AND coalesce(claimed_until <= statement_timestamp(), true)
    AND workspace_id NOT IN (SELECT workspace_id FROM busy)
  ORDER BY coalesce(claimed_at, created_at), id LIMIT 1
  FOR UPDATE SKIP LOCKED
)
UPDATE conversations_export AS export
SET status = 'running', claim = %(claim)s, attempts = attempts + 1,
    claimed_at = statement_timestamp(),
    claimed_until = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM due WHERE export.id = due.id
RETURNING export.id
"""


def write_pending_exports(*, max_seconds: float) -> bool:
    """Write at what is due until nothing is or time is up. Returns whether something is left."""
    until = time.monotonic() + max_seconds
    while (export := claim_next_export()) is not None:
        _write(export, until)
        if time.monotonic() >= until:
            return True
    return False


def claim_next_export() -> Export | None:
    values = {
        "most": MAX_CONCURRENT_EXPORTS,
        "claim": new_id(),
        "seconds": settings.EXPORT_CLAIM_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
    return None if row is None else Export.objects.filter(id=row[0]).first()


def _write(export: Export, until: float) -> None:
    """Part after part, until the file is whole, time is up, or the export is another's."""
    if export.attempts > MAX_ATTEMPTS:
        log.error("export_given_up", export_id=export.id)
        _change(export, **_failed(_NOT_WRITTEN))
        return
    if export.conversations_total is None:
        _change(export, conversations_total=matching_conversations(export).count())
    while True:
        part = build_next_part(export, max_rows=settings.EXPORT_PART_ROWS)
        if export.size + len(part.body) > settings.EXPORT_MOST_BYTES:
            sentence = _TOO_LARGE.format(settings.EXPORT_MOST_BYTES // 2**20)
            _change(export, **_failed(sentence))
            return
        if not save_part(export, part) or part.is_last:
            return
        if time.monotonic() >= until:
            _change(export, claimed_until=None)
            return
        export.refresh_from_db()


@transaction.atomic
def save_part(export: Export, part: Part) -> bool:
    """Write the part and move the place behind it; False where the claim is another's by now."""
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
    if not _change(export, **fields):
        return False
    ExportPart.objects.create(
        workspace_id=export.workspace_id, export=export, number=export.parts, body=part.body
    )
    return True


def _change(export: Export, **fields: Any) -> bool:
    """Change the export if this claim still holds it."""
    mine = Export.objects.filter(
        workspace_id=export.workspace_id,
        id=export.id,
        status=ExportStatus.RUNNING,
        claim=export.claim,
    )
    return bool(mine.update(**fields))


def _failed(sentence: str) -> dict[str, Any]:
    return {
        "status": ExportStatus.FAILED,
        "error": sentence,
        "finished_at": Now(),
        "claimed_until": None,
    }
