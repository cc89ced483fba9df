"""Run a whole crawl at once, and look at what came of each address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.knowledge.fetching.crawling.crawl import crawl
from apps.knowledge.fetching.crawling.frontier import Frontier, start_crawl
from apps.knowledge.fetching.crawling.outcomes import (
    CrawlEnded,
    CrawlOutcome,
    CrawlStep,
    PageFailed,
    PageFetched,
    PageSkipped,
)
from apps.knowledge.fetching.types import CrawlRules, FetchOptions, KnownPage
from tests.knowledge.fetching.conftest import options
from tests.knowledge.site import Site

MAX_STEPS = 2000


@dataclass
class Crawled:
    """The outcomes of a crawl of `site`, by path."""

    site: Site
    outcomes: list[CrawlOutcome] = field(default_factory=list)
    steps: list[CrawlStep] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    end: CrawlEnded | None = None

    @property
    def fetched(self) -> list[str]:
        """The paths of the pages, in order."""
        return [self.path(each.url) for each in self.outcomes if isinstance(each, PageFetched)]

    @property
    def left_out(self) -> dict[str, str]:
        """Path → code of what was skipped or has failed."""
        return {
            self.path(each.url): each.code
            for each in self.outcomes
            if isinstance(each, PageSkipped | PageFailed)
        }

    @property
    def reasons(self) -> dict[str, str]:
        """Path → sentence."""
        return {
            self.path(each.url): each.reason
            for each in self.outcomes
            if isinstance(each, PageSkipped | PageFailed)
        }

    @property
    def note(self) -> str:
        assert self.end is not None
        return self.end.note

    def path(self, url: str) -> str:
        return url.removeprefix(self.site.url)

    def known(self) -> dict[str, KnownPage]:
        """What a caller stores of the pages, for the next crawl."""
        return {
            each.url: KnownPage(each.page.validators, each.page.digest, each.depth)
            for each in self.outcomes
            if isinstance(each, PageFetched)
        }


def run_crawl(
    site: Site,
    path: str = "/",
    *,
    rules: CrawlRules | None = None,
    known: Mapping[str, KnownPage] | None = None,
    frontier: Frontier | None = None,
    fetch_options: FetchOptions | None = None,
) -> Crawled:
    """Crawl to the end. The frontier goes through JSON after each step, and nobody waits."""
    state = frontier or start_crawl(f"{site.url}{path}", known=known)
    result = Crawled(site)
    for _ in range(MAX_STEPS):
        steps = crawl(
            state, rules=rules or CrawlRules(), options=fetch_options or options(), known=known
        )
        step = next(steps)
        result.steps.append(step)
        result.outcomes += step.outcomes
        if step.wait_seconds:
            result.waits.append(step.wait_seconds)
        if step.ended is not None:
            result.end = step.ended
            return result
        state = Frontier.from_json(json.loads(json.dumps(state.to_json())))
    raise AssertionError(f"The crawl did not end in {MAX_STEPS} steps.")
