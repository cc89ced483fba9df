"""Which of the addresses that a crawl finds it will visit."""

from collections.abc import Iterable

from apps.knowledge.fetching.crawling.frontier import Frontier, Seen, Visit, key_of
from apps.knowledge.fetching.crawling.outcomes import CrawlOutcome, PageSkipped
from apps.knowledge.fetching.crawling.patterns import is_excluded, is_included
from apps.knowledge.fetching.crawling.traps import (
    MAX_VARIANTS,
    endless_path,
    has_no_text,
    variant_group,
)
from apps.knowledge.fetching.types import CrawlRules
from apps.knowledge.fetching.urls import site_of

MAX_SEEN = 50_000
"""The most addresses that a crawl remembers, whatever its limit of pages."""

_Refusal = tuple[str, str]
"""A code and a sentence."""


class Candidates:
    """Adds addresses to a frontier, by the rules, each once.

    Addresses of other sites, images and the like are left out without a word.
    """

    def __init__(self, frontier: Frontier, rules: CrawlRules) -> None:
        self._frontier = frontier
        self._rules = rules
        self._max_seen = min(MAX_SEEN, 10 * rules.max_pages + 1000)

    def refusal(self, url: str) -> _Refusal | None:
        """Why the rules leave an address out; None if they do not."""
        if is_excluded(url, self._rules.exclude):
            return "excluded", "An exclude pattern matches it."
        if not is_included(url, self._rules.include):
            return "not_included", "No include pattern matches it."
        return None

    def add_links(self, urls: Iterable[str], *, depth: int) -> list[CrawlOutcome]:
        """Add the links of a page. Returns those that are left out."""
        outcomes: list[CrawlOutcome] = []
        for url in self._new(urls):
            refusal = (
                self.refusal(url)
                or _too_deep(depth, self._rules.max_depth)
                or _trap(endless_path(url))
                or self._too_many_variants(url)
            )
            self._add(Visit(url, depth), refusal, outcomes)
        return outcomes

    def add_from_sitemap(self, urls: Iterable[str]) -> list[CrawlOutcome]:
        """Add the addresses of a sitemap. Returns those that are left out."""
        outcomes: list[CrawlOutcome] = []
        for url in self._new(urls):
            self._add(Visit(url, 1), self.refusal(url), outcomes)
        return outcomes

    def _new(self, urls: Iterable[str]) -> Iterable[str]:
        """The addresses of the site that have not been seen, while there is room."""
        frontier = self._frontier
        for url in urls:
            if site_of(url) != frontier.site or has_no_text(url) or key_of(url) in frontier.seen:
                continue
            if len(frontier.seen) >= self._max_seen:
                frontier.is_full = True
                return
            yield url

    def _add(self, visit: Visit, refusal: _Refusal | None, outcomes: list[CrawlOutcome]) -> None:
        if refusal is None:
            self._frontier.mark(visit.url, Seen.PENDING)
            self._frontier.pending.append(visit)
        else:
            self._frontier.mark(visit.url, Seen.LEFT_OUT)
            outcomes.append(PageSkipped(visit.url, *refusal))

    def _too_many_variants(self, url: str) -> _Refusal | None:
        group = variant_group(url)
        if not group:
            return None
        key = key_of(f"https://{group}")
        count = self._frontier.variants[key] = self._frontier.variants.get(key, 0) + 1
        if count <= MAX_VARIANTS:
            return None
        return _trap(f"More than {MAX_VARIANTS} addresses differ from it only in their details.")


def _too_deep(depth: int, max_depth: int) -> _Refusal | None:
    if depth <= max_depth:
        return None
    return "too_deep", f"It is more than {max_depth} links away from the first page."


def _trap(sentence: str) -> _Refusal | None:
    return ("trap", sentence) if sentence else None
