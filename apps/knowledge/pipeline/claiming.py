"""Claim the source that is indexed next: workspaces take turns.

Next is a source of the workspace with the fewest that are being indexed, of those the one served
longest ago. A claim is short and renewed while the work goes on, so that the source of a worker
that died is due again soon: when its claim ends. The statement looks at one source of each
workspace, whatever number is due: it skips through an index over workspace and time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.core.ids import new_id
from apps.infrastructure.postgres.claims import ClaimStatement, claim_next, renewed
from apps.knowledge.models import Source

MAX_CONCURRENT_SOURCES = 2
"""Sources of one workspace that are indexed at the same time: the others' need workers, too."""

CLAIM_SOURCE = ClaimStatement(
    "knowledge_source",
    """
WITH RECURSIVE running AS MATERIALIZED (
  SELECT workspace_id, count(*) AS sources FROM knowledge_source
  WHERE claimed_until > statement_timestamp() GROUP BY workspace_id
), waiting (workspace_id, due_at) AS (
  (SELECT workspace_id, due_at FROM knowledge_source WHERE due_at IS NOT NULL
   ORDER BY workspace_id, due_at LIMIT 1)
  UNION ALL
  SELECT following.* FROM waiting CROSS JOIN LATERAL (
    SELECT source.workspace_id, source.due_at FROM knowledge_source AS source
    WHERE source.due_at IS NOT NULL AND source.workspace_id > waiting.workspace_id
    ORDER BY source.workspace_id, source.due_at LIMIT 1
  ) AS following
), next_workspace AS MATERIALIZED (
  SELECT waiting.workspace_id FROM waiting LEFT JOIN running USING (workspace_id)
  WHERE waiting.due_at <= statement_timestamp()
    AND coalesce(running.sources, 0) < %(max_per_workspace)s
  ORDER BY coalesce(running.sources, 0),
    (SELECT max(claimed_at) FROM knowledge_source AS any_source
     WHERE any_source.workspace_id = waiting.workspace_id) NULLS FIRST,
    waiting.due_at
  LIMIT 1
), due AS MATERIALIZED (
  SELECT first.id FROM next_workspace CROSS JOIN LATERAL (
    SELECT source.id FROM knowledge_source AS source
    WHERE source.workspace_id = next_workspace.workspace_id
      AND source.due_at <= statement_timestamp()
    ORDER BY source.due_at, source.id LIMIT 1
    FOR UPDATE SKIP LOCKED
  ) AS first
)
UPDATE knowledge_source SET
  claim = %(claim)s,
  attempts = attempts + 1,
  claimed_at = statement_timestamp(),
  claimed_until = statement_timestamp() + make_interval(secs => %(seconds)s),
  due_at = statement_timestamp() + make_interval(secs => %(seconds)s)
FROM due WHERE knowledge_source.id = due.id
RETURNING knowledge_source.id
""",
)


def claim_source() -> Source | None:
    """Claim the next source for KNOWLEDGE_CLAIM_SECONDS."""
    source_id = claim_next(
        CLAIM_SOURCE,
        max_per_workspace=MAX_CONCURRENT_SOURCES,
        seconds=settings.KNOWLEDGE_CLAIM_SECONDS,
        claim=new_id(),
    )
    if source_id is None:
        return None
    return Source.objects.select_related("knowledge_base").filter(id=source_id).first()


@contextmanager
def claim_renewed(source: Source) -> Iterator[None]:
    """Renew the claim while the block runs."""
    seconds = settings.KNOWLEDGE_CLAIM_SECONDS

    def renew() -> None:
        claim_ends_at = Now() + timedelta(seconds=seconds)
        claimed(source).update(claimed_until=claim_ends_at, due_at=claim_ends_at)

    with renewed(renew, seconds=seconds):
        yield


def claimed(source: Source) -> QuerySet[Source]:
    """The source, if this worker still has it: nobody has canceled, changed or deleted it."""
    return Source.objects.filter(
        workspace_id=source.workspace_id, id=source.id, claim=source.claim, deleted_at=None
    )


def update_claimed(source: Source, **fields: Any) -> None:
    """Update the source. Raises ClaimLost if it is no longer this worker's."""
    if not claimed(source).update(**fields):
        raise ClaimLost


def lock_claimed(source: Source) -> Source:
    """The source, locked. Raises ClaimLost if it is no longer this worker's."""
    locked = claimed(source).select_for_update(no_key=True).first()
    if locked is None:
        raise ClaimLost
    return locked


class ClaimLost(Exception):
    """The source was canceled, changed or deleted, or another worker has it: nothing is left to
    do."""
