"""Read a crawl's sitemaps: those that robots.txt names, /sitemap.xml, and those they list."""

from apps.knowledge.fetching.crawling.candidates import Candidates
from apps.knowledge.fetching.crawling.frontier import Frontier, Seen
from apps.knowledge.fetching.crawling.outcomes import CrawlOutcome, PageSkipped
from apps.knowledge.fetching.crawling.pauses import MAX_ATTEMPTS, note_answer, wait_after
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.sitemaps import read_sitemap
from apps.knowledge.fetching.types import FetchOptions
from apps.knowledge.fetching.urls import site_of

MAX_LEVEL = 3
"""How deep indexes may list other indexes. sitemaps.org allows one."""
MAX_FILES = 200

_LAST_RETRY_SECONDS = 15.0


def visit_sitemap(
    frontier: Frontier, candidates: Candidates, options: FetchOptions
) -> tuple[list[CrawlOutcome], float]:
    """Read the next sitemap. Returns the outcomes and how many seconds to wait after it.

    Raises HostBusy.
    """
    url, level, attempts = frontier.sitemaps[0]
    frontier.site = frontier.site or site_of(url)
    try:
        file = read_sitemap(url, options=options)
    except FetchFailed as failure:
        frontier.sitemaps.pop(0)
        return _failed(frontier, url, level, attempts, failure)
    frontier.sitemaps.pop(0)
    note_answer(frontier)
    frontier.sitemap_files += 1
    if level < MAX_LEVEL:
        _add_nested(frontier, file.sitemaps, level + 1)
    return candidates.add_from_sitemap(file.urls), 0.0


def _add_nested(frontier: Frontier, urls: tuple[str, ...], level: int) -> None:
    room = MAX_FILES - frontier.sitemap_files - len(frontier.sitemaps)
    for url in [each for each in urls if frontier.state_of(each) is None][: max(0, room)]:
        frontier.mark(url, Seen.LEFT_OUT)
        frontier.sitemaps.append([url, level, 0])


def _failed(
    frontier: Frontier, url: str, level: int, attempts: int, failure: FetchFailed
) -> tuple[list[CrawlOutcome], float]:
    if failure.is_temporary:
        wait = wait_after(failure, attempts, frontier)
        if attempts + 1 < MAX_ATTEMPTS:
            frontier.sitemaps.append([url, level, attempts + 1])
            return [], wait or (0.0 if frontier.pending else _LAST_RETRY_SECONDS)
    else:
        note_answer(frontier)
    if url == frontier.guessed_sitemap:
        return [], 0.0  # no site needs a sitemap
    is_named = url == frontier.start
    reason = str(failure) if is_named else f"The sitemap could not be used. {failure}"
    return [PageSkipped(url, "sitemap", reason)], 0.0
