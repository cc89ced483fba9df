"""Workers that are killed while they crawl and embed: nothing is lost, doubled, charged twice or
stuck.

KILLED_WORKERS=20 pytest tests/knowledge/pipeline/web/test_killed_workers.py
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from apps.audit.services import SYSTEM
from apps.credits.models import EntryKind, LedgerEntry
from apps.knowledge.models import ChunkVector, Generation, Source
from apps.knowledge.queries import documents_of, live_chunks
from apps.knowledge.services.sources import reindex_source
from tests.e2e.database_state import wait_until
from tests.factories import Team, grant_credits
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.knowledge.pipeline.embedded_tokens import tokens_of
from tests.knowledge.pipeline.web.web_sources import add_site
from tests.knowledge.site import Page, Site
from tests.web_processes import ROOT, process_environment

KILLED = int(os.environ.get("KILLED_WORKERS", "5"))
SEED = int(os.environ.get("KILLED_WORKERS_SEED", "1"))
MAX_IN_A_ROW = 3
"""Fewer attempts without progress than a source has."""
STUCK_SECONDS = 120
PAGES = [f"/p{number}" for number in range(20)]
SECTIONS = 6


class ChangingSite(Site):
    """A site whose pages all change at once, each with sections that occur once."""

    version = 0

    def words(self, path: str) -> list[str]:
        return [f"Version {self.version}, page {path}, part {part}." for part in range(SECTIONS)]

    def answer(self, path: str) -> Page:
        links = "".join(f"<a href={link}>x</a>" for link in (PAGES if path == "/" else ()))
        sections = (
            f"<h2>Part {part}</h2><p>{words} {f'Filler {part} of {path} follows here. ' * 20}</p>"
            for part, words in enumerate(self.words(path))
        )
        return Page(f"<!doctype html><title>{path}</title>{''.join(sections)}{links}".encode())


@contextmanager
def worker_processes() -> Iterator[Callable[[], int]]:
    """A function that starts a worker on the test database and returns its process id."""
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.knowledge.pipeline.web.indexing_process"],
        cwd=ROOT,
        env=process_environment(KNOWLEDGE_CLAIM_SECONDS=0.5),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    started: list[int] = []

    def start() -> int:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write("\n")
        started.append(int(parent.stdout.readline()))
        return started[-1]

    try:
        yield start
    finally:
        if started:
            with suppress(ProcessLookupError):
                kill(started[-1])
        parent.communicate(timeout=20)


def kill(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def test_nothing_is_lost_or_doubled_by_killed_workers(live_team: Team) -> None:
    grant_credits(live_team.workspace, 10**9)
    model = make_embedding_model(credits_per_1k_tokens=1000)
    base = make_knowledge_base(live_team.workspace, embedding_model=model)
    site = ChangingSite()
    site.make = lambda path: site.answer(path) if path == "/" or path in PAGES else Page(status=404)
    moments = random.Random(SEED)
    with site, worker_processes() as start:
        source = add_site(base, site)
        for _ in range(KILLED):
            if reload(source).status == "ready":
                assert_is_whole(source, site)
                site.version += 1
                reindex_source(source=source, actor=SYSTEM)
            worker = start()
            if source.attempts >= MAX_IN_A_ROW:
                wait_until(lambda: reload(source).attempts == 0, seconds=STUCK_SECONDS)
            time.sleep(moments.uniform(0.0, 1.0))
            kill(worker)
        start()
        wait_until(lambda: reload(source).status == "ready", seconds=STUCK_SECONDS)
    assert_is_whole(source, site)


def reload(source: Source) -> Source:
    source.refresh_from_db()
    assert source.status != "failed", source.status_reason
    return source


def assert_is_whole(source: Source, site: ChangingSite) -> None:
    """Each section of each page is there once, with one vector, in the version of now, and each
    version was charged once."""
    paths = ["/", *PAGES]
    documents = [each.url.removeprefix(site.url) for each in documents_of(source)]
    assert sorted(documents) == sorted(paths)
    chunks = list(live_chunks(source))
    found = Counter(
        words
        for path in paths
        for words in site.words(path)
        for chunk in chunks
        if words in chunk.text
    )
    assert found == {words: 1 for path in paths for words in site.words(path)}
    assert source.chunks == len(chunks)
    assert ChunkVector.objects.filter(chunk__in=chunks).count() == len(chunks)
    assert not Generation.objects.filter(source=source, finished_at=None).exists()
    charges = LedgerEntry.objects.filter(reference=source.id, kind=EntryKind.EMBEDDING)
    amounts = list(charges.order_by("sequence").values_list("amount", flat=True))
    assert (len(amounts), amounts[-1]) == (site.version + 1, -tokens_of(source))
