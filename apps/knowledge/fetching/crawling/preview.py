"""Show what a crawl would visit, within a few seconds, before it is started."""

import time
from dataclasses import dataclass, replace

from apps.knowledge.fetching.crawling.crawl import crawl
from apps.knowledge.fetching.crawling.frontier import Frontier
from apps.knowledge.fetching.crawling.outcomes import PageFailed, PageFetched, PageSkipped
from apps.knowledge.fetching.errors import FetchError, FetchFailed
from apps.knowledge.fetching.robots import robots_of
from apps.knowledge.fetching.types import ROBOTS_TOKEN, CrawlRules, FetchOptions

PREVIEW_SECONDS = 8.0
MAX_PREVIEW_URLS = 50

_REQUEST_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Preview:
    """The first addresses that would be visited, in order, and those that were left out.

    `found`: how many addresses are known by now; `is_partial`: there may be more. `problem`: why
    there are none, or the crawl's note; "" if there is nothing to say.
    """

    urls: tuple[str, ...]
    left_out: tuple[PageSkipped | PageFailed, ...]
    found: int
    is_partial: bool
    problem: str


def preview(
    frontier: Frontier,
    *,
    rules: CrawlRules,
    options: FetchOptions,
    seconds: float = PREVIEW_SECONDS,
    max_urls: int = MAX_PREVIEW_URLS,
) -> Preview:
    """Begin the crawl of a new frontier, until enough addresses are found or the time is up."""
    ends_at = time.monotonic() + seconds
    quick = replace(
        options,
        seconds=min(options.seconds, _REQUEST_SECONDS),
        patience_seconds=max(options.patience_seconds, 2 * options.interval_seconds),
    )
    fetched: dict[str, None] = {}
    left_out: list[PageSkipped | PageFailed] = []
    problem = ""
    is_over = False
    while not is_over:
        step = next(crawl(frontier, rules=rules, options=quick))
        for each in step.outcomes:
            if isinstance(each, PageFetched):
                fetched[each.url] = None
            else:
                left_out.append(each)
        problem = step.ended.note if step.ended else ""
        is_over = _is_enough(frontier, len(fetched), max_urls)
        if step.ended or step.wait_seconds or time.monotonic() >= ends_at:
            is_over = True
    waiting = [each.url for each in frontier.pending if each.attempts == 0]
    allowed, forbidden = _by_robots(waiting[:max_urls], quick)
    urls = [*fetched, *allowed]
    return Preview(
        urls=tuple(urls[: min(max_urls, rules.max_pages)]),
        left_out=(*left_out, *forbidden)[:max_urls],
        found=len(urls) + max(0, len(waiting) - max_urls),
        is_partial=not frontier.is_ended,
        problem=problem or ("" if urls else frontier.problem or frontier.last_failure),
    )


def _is_enough(frontier: Frontier, fetched: int, max_urls: int) -> bool:
    """Whether the sitemaps are read and enough addresses are known."""
    is_begun = frontier.is_started and not frontier.sitemaps
    return is_begun and fetched + len(frontier.pending) >= max_urls


def _by_robots(urls: list[str], options: FetchOptions) -> tuple[list[str], list[PageSkipped]]:
    allowed: list[str] = []
    forbidden: list[PageSkipped] = []
    for url in urls:
        try:
            is_allowed = robots_of(url, options).is_allowed(url)
        except FetchFailed as failure:
            forbidden.append(PageSkipped(url, failure.code, str(failure)))
            continue
        except FetchError:
            is_allowed = True  # another scheme's robots.txt, which is not read for this
        if is_allowed:
            allowed.append(url)
        else:
            sentence = f"The site's robots.txt forbids this address to {ROBOTS_TOKEN}."
            forbidden.append(PageSkipped(url, "robots", sentence))
    return allowed, forbidden
