"""Read the pages of a source, some at a time, and store them with where the crawl stands.

No transaction is open while a site is asked or a page parsed. A worker that dies, or that is to let
others go first, is followed by one that goes on after the last commit.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from apps.knowledge.errors import IndexingFailed, IndexingPaused
from apps.knowledge.fetching.crawling.crawl import crawl
from apps.knowledge.fetching.crawling.frontier import Frontier
from apps.knowledge.fetching.crawling.outcomes import CrawlEnded
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.types import CrawlRules, FetchOptions
from apps.knowledge.fetching.urls import entered_url
from apps.knowledge.models import Generation, Source, SourceStatus
from apps.knowledge.parsing.parse import Parsed, parse_first
from apps.knowledge.pipeline.claiming import lock_claimed, update_claimed
from apps.knowledge.pipeline.storing import NewDocument, store_documents
from apps.knowledge.pipeline.web.batches import FetchedStep, fetch_steps
from apps.knowledge.pipeline.web.documents import KEPT, copy_of, document_of, unparsed
from apps.knowledge.pipeline.web.earlier import (
    EarlierPages,
    earlier_pages,
    known_pages,
    unchanged,
)
from apps.knowledge.pipeline.web.results import note_of
from apps.knowledge.services.web import crawl_rules, new_frontier

_MIN_TOLD_SECONDS = 10.0
"""Shorter waits are the usual pace of a crawl."""


def read_pages(
    source: Source, generation: Generation, *, options: FetchOptions, deadline: float
) -> None:
    """Store the pages of a web source. At `deadline` (`time.monotonic`) others are let go first.

    Raises IndexingFailed, IndexingDelayed, IndexingPaused or ClaimLost.
    """
    try:
        start_url = entered_url(source.url)
    except FetchFailed as failure:
        raise IndexingFailed(str(failure)) from failure
    earlier = earlier_pages(source, start_url)
    known = known_pages(earlier)
    if generation.frontier is None:
        frontier = new_frontier(source.type, source.url, known=known)
        update_claimed(source, status=SourceStatus.FETCHING, progress_done=0, progress_total=None)
    else:
        frontier = Frontier.from_json(generation.frontier)
        update_claimed(source, status=SourceStatus.FETCHING)
    rules = crawl_rules(source.type, source.rules)
    reading = _Reading(source, generation, rules, earlier, deadline)
    steps = crawl(frontier, rules=rules, options=options, known=known)
    while True:
        batch = fetch_steps(steps, frontier)
        reading.store(batch)
        last = batch[-1].step
        if last.ended:
            reading.finish(frontier, last.ended)
            return
        if last.wait_seconds:
            is_told = last.wait_seconds >= _MIN_TOLD_SECONDS
            reason = f"Waiting for the site. {frontier.last_failure}" if is_told else ""
            raise IndexingPaused(reason.strip(), seconds=last.wait_seconds)
        reading.pause_if_late()


@dataclass(frozen=True, slots=True)
class _Reading:
    source: Source
    generation: Generation
    rules: CrawlRules
    earlier: EarlierPages
    deadline: float

    def store(self, batch: Sequence[FetchedStep]) -> None:
        """Parse and store the pages of some steps. If one ends the process that parses them, those
        before it are stored first."""
        while batch:
            count, parsed = self._parse(batch)
            self._store_parsed(batch[:count], parsed)
            batch = batch[count:]
            if batch:
                self.pause_if_late()

    def pause_if_late(self) -> None:
        """Raises IndexingPaused after the deadline. What is not stored is fetched again."""
        if time.monotonic() >= self.deadline:
            raise IndexingPaused

    def _parse(self, batch: Sequence[FetchedStep]) -> tuple[int, dict[int, Parsed]]:
        """Return how many of the steps can be stored now, and by their numbers the pages that had
        to be parsed."""
        changed = [
            (at, each.page)
            for at, each in enumerate(batch)
            if each.page and unchanged(each.page, self.earlier) is None
        ]
        if not changed:
            return len(batch), {}
        results = parse_first([unparsed(page) for _, page in changed])
        parsed = {at: result for (at, _), result in zip(changed, results, strict=False)}
        is_all = len(results) == len(changed)
        return (len(batch) if is_all else changed[len(results)][0]), parsed

    def _store_parsed(self, steps: Sequence[FetchedStep], parsed: dict[int, Parsed]) -> None:
        documents: list[NewDocument] = []
        for at, each in enumerate(steps):
            first = each.step.done - len(each.step.outcomes)
            documents += [
                document_of(outcome, position, self.earlier, parsed.get(at))
                for position, outcome in enumerate(each.step.outcomes, first)
            ]
        last = steps[-1]
        with transaction.atomic():
            store_documents(self.source, self.generation, documents)
            self.generation.frontier = last.frontier
            self.generation.save(update_fields=["frontier"])
            update_claimed(
                self.source,
                status_reason="",
                progress_done=last.step.done,
                progress_total=last.step.total,
                attempts=0,
            )

    @transaction.atomic
    def finish(self, frontier: Frontier, ended: CrawlEnded) -> None:
        """Note that all pages are stored. Raises IndexingFailed if none could be read."""
        lock_claimed(self.source)
        store_documents(self.source, self.generation, self._not_visited(frontier, ended))
        self.generation.note = note_of(self.source, self.generation, ended)
        self.generation.start_url = frontier.start
        self.generation.frontier = None
        self.generation.is_read = True
        self.generation.save(update_fields=["note", "start_url", "frontier", "is_read"])

    def _not_visited(self, frontier: Frontier, ended: CrawlEnded) -> list[NewDocument]:
        """Earlier pages that a crawl which ended early has not come to."""
        if ended.is_complete or ended.fetched >= self.rules.max_pages:
            return []
        left = [self.earlier[each.url] for each in frontier.pending if each.url in self.earlier]
        first = ended.fetched + ended.skipped + ended.failed
        reason = f"The crawl ended before it came to this page. {KEPT}"
        return [
            copy_of(document, position, document.url, document.depth, reason=reason)
            for position, document in enumerate(left, first)
        ]
