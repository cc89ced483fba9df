"""Crawl a site: breadth first, within one site, by rules, one request a step.

The caller stores each step's outcomes together with the frontier. It may stop between two steps and
continue later, after a crash too: what was not stored is fetched again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from apps.knowledge.fetching.crawling.candidates import Candidates
from apps.knowledge.fetching.crawling.crawl_end import ended
from apps.knowledge.fetching.crawling.duplicates import (
    forget_waiters,
    revive_waiters,
    same_content,
    wait_for_canonical,
)
from apps.knowledge.fetching.crawling.frontier import Frontier, Seen, Visit, key_of
from apps.knowledge.fetching.crawling.outcomes import (
    CrawlOutcome,
    CrawlStep,
    PageFailed,
    PageFetched,
    PageSkipped,
)
from apps.knowledge.fetching.crawling.pauses import (
    MAX_ATTEMPTS,
    MAX_PAUSES,
    MAX_WAIT_SECONDS,
    note_answer,
    wait_after,
)
from apps.knowledge.fetching.crawling.sitemap_visits import visit_sitemap
from apps.knowledge.fetching.errors import FetchError, FetchFailed, HostBusy
from apps.knowledge.fetching.pages import (
    NOINDEX_SENTENCE,
    PageWithLinks,
    ReadLinks,
    fetch_with_links,
    read_links_here,
)
from apps.knowledge.fetching.robots import judge_by_robots, robots_of
from apps.knowledge.fetching.types import CrawlRules, FetchOptions, KnownPage, KnownPages
from apps.knowledge.fetching.urls import origin_of, readable, site_of

_SKIPPING = frozenset(
    {"robots", "noindex", "excluded", "not_included", "other_site", "duplicate", "unreadable_type"}
)
# Codes of failures that are somebody's will rather than a fault.


def crawl(
    frontier: Frontier,
    *,
    rules: CrawlRules,
    options: FetchOptions,
    known: KnownPages | None = None,
    read_page_links: ReadLinks = read_links_here,
) -> Iterator[CrawlStep]:
    """Continue a crawl, one request a step.

    Ends after a step with `ended`, or with `wait_seconds`: call it again after those.
    """
    crawler = _Crawler(frontier, rules, options, known or {}, read_page_links)
    while True:
        step = crawler.step()
        yield step
        if step.ended or step.wait_seconds:
            return


@dataclass(frozen=True, slots=True)
class _Crawler:
    frontier: Frontier
    rules: CrawlRules
    options: FetchOptions
    known: KnownPages
    read_page_links: ReadLinks

    @property
    def candidates(self) -> Candidates:
        return Candidates(self.frontier, self.rules)

    def step(self) -> CrawlStep:
        """Make one request, or end."""
        frontier = self.frontier
        while frontier.pending and frontier.state_of(frontier.pending[0].url) == Seen.KEPT:
            frontier.pending.popleft()  # the first page has led to it
        if self._is_over():
            frontier.is_ended = True
            return self._step([])
        try:
            if frontier.is_started and frontier.sitemaps:
                outcomes, wait = visit_sitemap(frontier, self.candidates, self.options)
            else:
                outcomes, wait = self._visit_page()
        except HostBusy as busy:
            return self._step([], busy.wait_seconds)
        return self._step(outcomes, wait)

    def _is_over(self) -> bool:
        frontier, max_pages = self.frontier, self.rules.max_pages
        return (
            frontier.is_ended
            or not (frontier.pending or frontier.sitemaps)
            or frontier.fetched >= max_pages
            or frontier.requests >= 3 * max_pages + 50  # what is skipped costs requests, too
            or frontier.pauses > MAX_PAUSES
        )

    def _step(self, outcomes: list[CrawlOutcome], wait: float = 0.0) -> CrawlStep:
        frontier = self.frontier
        for each in outcomes:
            frontier.fetched += isinstance(each, PageFetched)
            frontier.skipped += isinstance(each, PageSkipped)
            frontier.failed += isinstance(each, PageFailed)
            if not isinstance(each, PageFetched) and not frontier.problem:
                frontier.problem = f"{readable(each.url)}: {each.reason}"
        done = frontier.fetched + frontier.skipped + frontier.failed
        end = ended(frontier, self.rules) if frontier.is_ended else None
        total = done + len(frontier.pending)
        return CrawlStep(tuple(outcomes), done, total, min(wait, MAX_WAIT_SECONDS), end)

    def _visit_page(self) -> tuple[list[CrawlOutcome], float]:
        frontier = self.frontier
        visit = frontier.pending[0]
        refusal = self.candidates.refusal(visit.url) if frontier.is_started else None
        known = self.known.get(visit.url, KnownPage())
        try:
            if refusal:  # of a page that earlier rules included
                raise FetchFailed(*refusal)
            fetched = fetch_with_links(
                visit.url,
                options=self.options,
                validators=known.validators,
                judge=lambda url: self._judge(url, visit),
                read_page_links=self.read_page_links,
            )
        except FetchFailed as failure:
            frontier.pending.popleft()
            return self._failed(visit, failure)
        frontier.pending.popleft()
        note_answer(frontier)
        if not frontier.is_started:
            self._start(fetched.page.url)
        outcomes: list[CrawlOutcome] = [self._keep_or_skip(visit, fetched)]
        links = fetched.links
        if frontier.follows_links and not links.nofollow:
            outcomes += self.candidates.add_links(links.links, depth=visit.depth + 1)
        return outcomes, 0.0

    def _judge(self, url: str, visit: Visit) -> float:
        """Check each address that a visit leads to."""
        frontier = self.frontier
        if frontier.site and site_of(url) != frontier.site:
            raise FetchFailed("other_site", f"It redirects to another site: {readable(url)}")
        if frontier.is_started and key_of(url) != key_of(visit.url):
            if refusal := self.candidates.refusal(url):
                raise FetchFailed(*refusal)
            if frontier.state_of(url) is not None:
                sentence = f"It redirects to {readable(url)}, which is visited on its own."
                raise FetchFailed("duplicate", sentence)
        return judge_by_robots(url, self.options)

    def _start(self, url: str) -> None:
        """Take the site of the first page, after its redirects, and find its sitemaps."""
        frontier = self.frontier
        frontier.site, frontier.is_started = site_of(url), True
        try:
            listed = robots_of(url, self.options).sitemaps
        except FetchError:
            listed = ()
        frontier.guessed_sitemap = "" if listed else f"{origin_of(url)}/sitemap.xml"
        frontier.sitemaps = [[each, 1, 0] for each in listed or (frontier.guessed_sitemap,)]

    def _keep_or_skip(self, visit: Visit, fetched: PageWithLinks) -> CrawlOutcome:
        page, frontier = fetched.page, self.frontier
        reason = self._reason_to_skip(visit, fetched)
        if reason is None:
            for url in (visit.url, page.url):
                frontier.mark(url, Seen.KEPT)
                forget_waiters(url, frontier)
            return PageFetched(page.url, page, visit.depth, visit.url)
        if frontier.state_of(visit.url) != Seen.WAITING:
            frontier.mark(visit.url, Seen.LEFT_OUT)
            revive_waiters(visit.url, frontier)
        return PageSkipped(page.url, *reason)

    def _reason_to_skip(self, visit: Visit, fetched: PageWithLinks) -> tuple[str, str] | None:
        page, frontier = fetched.page, self.frontier
        if fetched.links.noindex:
            return "noindex", NOINDEX_SENTENCE
        if refusal := self.candidates.refusal(page.url):
            code, sentence = refusal
            return code, f"{sentence} Only its links were read."
        canonical = fetched.links.canonical
        if wait_for_canonical(canonical, visit, page.url, self.candidates, frontier):
            return "duplicate", f"It names {readable(canonical)} as its own address."
        digest = page.digest or self.known.get(visit.url, KnownPage()).digest
        if other := same_content(digest, page.url, frontier):
            return "duplicate", f"It has the same content as {readable(other)}"
        return None

    def _failed(self, visit: Visit, failure: FetchFailed) -> tuple[list[CrawlOutcome], float]:
        frontier = self.frontier
        wait = 0.0
        if failure.is_temporary:
            wait = wait_after(failure, visit.attempts, frontier)
            if visit.attempts + 1 < MAX_ATTEMPTS:
                again = replace(visit, attempts=visit.attempts + 1)
                # Before the first page has been fetched there is nothing to go on with.
                place = len(frontier.pending) if frontier.is_started else 0
                frontier.pending.insert(place, again)
                return [], wait
        else:
            note_answer(frontier)
        frontier.mark(visit.url, Seen.LEFT_OUT)
        revive_waiters(visit.url, frontier)
        if not frontier.is_started:  # go on with the known pages, if there are any
            frontier.site, frontier.is_started = site_of(visit.url), True
        if failure.code in _SKIPPING:
            return [PageSkipped(visit.url, failure.code, str(failure))], wait
        is_temporary, is_gone = failure.is_temporary, failure.is_gone
        return [PageFailed(visit.url, failure.code, str(failure), is_temporary, is_gone)], wait
