"""An owner cancels, deletes or changes a source while its site is being crawled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import connection, connections

from apps.audit.services import SYSTEM
from apps.knowledge.models import Chunk, Document, Generation, Source
from apps.knowledge.pipeline.claiming import claim_source
from apps.knowledge.pipeline.erasing import erase_discarded
from apps.knowledge.pipeline.indexing import index_source
from apps.knowledge.queries import live_chunks
from apps.knowledge.services import sources as services
from tests.e2e.database_state import wait_until
from tests.factories import Team
from tests.knowledge.fetching.conftest import OpenSite
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.knowledge.pipeline.web.web_sources import add_site, index, options_of
from tests.knowledge.site import Page, page

PATHS = [f"/p{number}" for number in range(10)]
"""More than are stored in one transaction: some are stored when the slow page is asked for."""

CHANGES: dict[str, tuple[Callable[[Source], Any], str]] = {
    "canceled": (
        lambda source: services.cancel_indexing(source=source, actor=SYSTEM),
        "failed",
    ),
    "deleted": (lambda source: services.delete_source(source=source, actor=SYSTEM), "fetching"),
    "indexed again": (
        lambda source: services.reindex_source(source=source, actor=SYSTEM),
        "pending",
    ),
    "changed": (
        lambda source: services.update_source(
            source=source, actor=SYSTEM, changes={"rules": {"exclude": ["/p1"]}}
        ),
        "pending",
    ),
}


def run_worker(source: Source) -> None:
    try:
        index_source(source, deadline=time.monotonic() + 60, options_of=options_of)
    finally:
        connections.close_all()


def is_any_transaction_idle() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%'"
        )
        ((count,),) = cursor.fetchall()
    return bool(count)


@pytest.mark.parametrize(("change", "status"), CHANGES.values(), ids=list(CHANGES))
def test_change_ends_a_crawl_that_runs(
    live_team: Team, open_site: OpenSite, change: Callable[[Source], Any], status: str
) -> None:
    release = Event()

    def held(_: Event) -> Iterator[bytes]:
        yield b"<!doctype html><title>Slow</title>"
        release.wait(60)
        yield b"<p>A slow page."

    site = open_site(
        {
            "/": page(*PATHS, "/slow"),
            "/slow": Page(pieces=held),
            **{path: page(title=path, text=f"Page {path}.") for path in PATHS},
        }
    )
    source = add_site(make_knowledge_base(live_team.workspace), site)
    claimed = claim_source()
    assert claimed is not None
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_worker, claimed)
        try:
            wait_until(lambda: "/slow" in site.requests, seconds=60)
            assert Chunk.objects.filter(workspace=live_team.workspace).exists()
            wait_until(lambda: not is_any_transaction_idle())
            change(source)
        finally:
            release.set()
        running.result(60)
    source.refresh_from_db()
    assert (source.status, source.live_generation_id, source.chunks) == (status, None, 0)
    assert not Generation.objects.filter(source=source, finished_at=None).exists()
    if status == "pending":
        index(source)
        texts = [chunk.text for chunk in live_chunks(source)]
        expected = [path for path in PATHS if not source.rules or path != "/p1"]
        assert sorted(path for path in PATHS for text in texts if f"{path}." in text) == expected
    wait_until(lambda: erase_discarded() >= 0 and is_erased(source))


def is_erased(source: Source) -> bool:
    """Whether only what is live is left."""
    ours = {"workspace_id": source.workspace_id}
    if Generation.objects.filter(**ours).count() > (source.live_generation_id is not None):
        return False
    chunks = Chunk.objects.filter(**ours).count()
    documents = Document.objects.filter(**ours).exclude(generation=source.live_generation_id)
    return chunks == source.chunks and not documents.exists()
