"""Claim the source that is indexed next: workspaces take turns.

Next is a source of the workspace with the fewest that are being indexed, of those the one served
longest ago. A claim is short and renewed while the work goes on, so that the source of a worker
that died is due again soon.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.core.ids import new_id
from apps.infrastructure.postgres.claims import claim_next, claim_statement, renewed
from apps.knowledge.models import Source

MAX_CONCURRENT_SOURCES = 2
"""Sources of one workspace that are indexed at the same time: the others' need workers, too."""

_ACTIVE = "claimed_until > statement_timestamp()"
_CLAIM = claim_statement(
    table="knowledge_source",
    join=f"""
      JOIN LATERAL (
        SELECT count(*) FILTER (WHERE {_ACTIVE}) AS running, max(claimed_at) AS served_at
        FROM knowledge_source AS other
        WHERE other.workspace_id = knowledge_source.workspace_id AND other.due_at IS NOT NULL
      ) AS share ON true""",  # noqa: S608 - a constant of ours
    active=_ACTIVE,
    group="workspace_id",
    due="due_at <= statement_timestamp()"
    " AND coalesce(claimed_until <= statement_timestamp(), true)",
    order_by="share.running, share.served_at NULLS FIRST, due_at, id",
    assign="claim = %(claim)s, attempts = attempts + 1, claimed_at = statement_timestamp()",
)


def claim_source() -> Source | None:
    """Claim the next source for KNOWLEDGE_CLAIM_SECONDS."""
    source_id = claim_next(
        _CLAIM,
        max_per_group=MAX_CONCURRENT_SOURCES,
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
        claimed(source).update(claimed_until=Now() + timedelta(seconds=seconds))

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
