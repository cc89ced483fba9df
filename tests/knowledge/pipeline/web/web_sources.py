"""Add sources of web sites, index them without waiting, and look at what came of each address."""

from __future__ import annotations

import time
from typing import Any

from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.knowledge.fetching.types import FetchOptions
from apps.knowledge.models import ChunkVector, KnowledgeBase, Source, SourceStatus, SourceType
from apps.knowledge.pipeline.claiming import claim_source
from apps.knowledge.pipeline.indexing import index_source
from apps.knowledge.queries import documents_of, live_chunks
from apps.knowledge.services.sources import add_web_source
from tests.knowledge.fetching.conftest import options
from tests.knowledge.site import Site

MAX_RUNS = 200


def options_of(source: Source) -> FetchOptions:
    """As for real sources, but names of test sites lead to loopback, at any pace."""
    return options(visitor=source.workspace_id, holder=source.id, max_bytes=2**21)


def add_site(
    base: KnowledgeBase,
    site: Site,
    path: str = "/",
    source_type: SourceType = SourceType.CRAWL,
    **fields: Any,
) -> Source:
    return add_web_source(
        base=base, source_type=source_type, url=f"{site.url}{path}", actor=SYSTEM, **fields
    )


def run_once(source: Source, *, seconds: float = 60.0) -> None:
    """Let a worker have the source for so long, now. It is the only one that is due."""
    make_due(source)
    claimed = claim_source()
    assert claimed is not None
    assert claimed.id == source.id
    index_source(claimed, deadline=time.monotonic() + seconds, options_of=options_of)
    source.refresh_from_db()


def index(source: Source, *, seconds: float = 60.0) -> Source:
    """Let workers have the source until the end, whatever time it would wait for."""
    for _ in range(MAX_RUNS):
        run_once(source, seconds=seconds)
        if source.status in (SourceStatus.READY, SourceStatus.FAILED):
            return source
    raise AssertionError(f"{source.status} after {MAX_RUNS} runs: {source.status_reason}")


def make_due(source: Source) -> None:
    Source.objects.filter(id=source.id).update(due_at=timezone.now(), claimed_until=None)


def statuses(source: Source, site: Site) -> dict[str, str]:
    """Path → status of each document."""
    return {each.url.removeprefix(site.url): each.status for each in documents_of(source)}


def reasons(source: Source, site: Site) -> dict[str, str]:
    """Path → reason of each document that has one."""
    documents = documents_of(source).exclude(reason="")
    return {each.url.removeprefix(site.url): each.reason for each in documents}


def live_text(source: Source) -> str:
    return "\n".join(chunk.text for chunk in live_chunks(source))


def assert_is_whole(source: Source) -> None:
    """Each live chunk has one vector."""
    ids = list(live_chunks(source).values_list("id", flat=True))
    assert source.chunks == len(ids)
    assert ChunkVector.objects.filter(chunk_id__in=ids).count() == len(ids)
