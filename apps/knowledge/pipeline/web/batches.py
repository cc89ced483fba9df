"""Make the next requests of a crawl: some pages, so that one process can parse them all."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.knowledge.fetching.crawling.frontier import Frontier
from apps.knowledge.fetching.crawling.outcomes import CrawlStep, PageFetched

MAX_PAGES = 8
"""Starting a process and loading its libraries costs as much as parsing thirty pages. What is not
stored is fetched again after a crash, so a batch is small."""
MAX_BYTES = 10 * 2**20
MAX_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FetchedStep:
    """A step of a crawl, and the frontier after it, to be stored with its outcomes."""

    step: CrawlStep
    frontier: dict[str, Any] = field(repr=False)

    @property
    def page(self) -> PageFetched | None:
        """The page that was fetched. The links that it leads to may be outcomes, too."""
        pages = (each for each in self.step.outcomes if isinstance(each, PageFetched))
        return next(pages, None)


def fetch_steps(steps: Iterator[CrawlStep], frontier: Frontier) -> list[FetchedStep]:
    """The next steps, of one at least: up to the end of the crawl, a pause or a limit."""
    ends_at = time.monotonic() + MAX_SECONDS
    fetched: list[FetchedStep] = []
    pages, size = 0, 0
    for step in steps:
        following = FetchedStep(step, frontier.to_json())
        fetched.append(following)
        if following.page is not None:
            pages += 1
            size += len(following.page.page.body)
        is_full = pages >= MAX_PAGES or size >= MAX_BYTES or time.monotonic() >= ends_at
        if is_full or step.ended or step.wait_seconds:
            break
    return fetched
