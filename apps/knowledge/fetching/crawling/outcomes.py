"""What a crawl says of each address, after each request, and at its end."""

from dataclasses import dataclass

from apps.knowledge.fetching.types import FetchedPage


@dataclass(frozen=True, slots=True)
class PageFetched:
    """A page that belongs to the crawl.

    `depth`: links away from the first page. `visited`: the address that led to it: if
    `page.not_modified`, it is as the page that is known by that address.
    """

    url: str
    page: FetchedPage
    depth: int
    visited: str = ""


@dataclass(frozen=True, slots=True)
class PageSkipped:
    """An address that was found and is left out. `reason`: a sentence.

    `code`: robots, noindex, excluded, not_included, too_deep, trap, duplicate, other_site,
    unreadable_type, or sitemap for a sitemap that could not be used.
    """

    url: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class PageFailed:
    """A page that could not be fetched. `reason`: a sentence.

    `is_gone`: it was removed, so nothing of it is to be kept. `is_temporary`: three attempts have
    failed, and later ones may succeed: what is kept of the page stays.
    """

    url: str
    code: str
    reason: str
    is_temporary: bool
    is_gone: bool


CrawlOutcome = PageFetched | PageSkipped | PageFailed


@dataclass(frozen=True, slots=True)
class CrawlEnded:
    """The end of a crawl.

    `is_complete`: every known page was looked at, so what is not among the outcomes may be dropped.
    `left`: addresses that were found and not visited. `note`: a sentence for the owner about what
    they may not expect, such as why there is no page at all; "" if there is nothing to say.
    """

    fetched: int
    skipped: int
    failed: int
    left: int
    is_complete: bool
    note: str


@dataclass(frozen=True, slots=True)
class CrawlStep:
    """What one request of a crawl brought.

    The frontier is now as it has to be stored together with the outcomes. `done` of `total` are
    addresses; the total grows while the crawl finds more. `wait_seconds`: if not 0, the crawl is to
    be continued after that, and the iteration ends here. `ended`: set in the last step.
    """

    outcomes: tuple[CrawlOutcome, ...]
    done: int
    total: int
    wait_seconds: float = 0.0
    ended: CrawlEnded | None = None
