"""Where a crawl stands: what it has seen and what it has still to visit. A plain value in JSON."""

import hashlib
from collections import deque
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from apps.knowledge.fetching.types import KnownPages
from apps.knowledge.fetching.urls import entered_url, page_key


class Seen(StrEnum):
    """What has become of an address."""

    PENDING = "p"
    WAITING = "w"  # for its canonical address
    KEPT = "k"
    LEFT_OUT = "x"


@dataclass(frozen=True, slots=True)
class Visit:
    """An address to visit. `attempts`: how many have failed. `is_alone`: whether its canonical
    address has come to nothing, so that it counts as it is."""

    url: str
    depth: int
    attempts: int = 0
    is_alone: bool = False


@dataclass(slots=True)
class Frontier:
    """Made by `start_page`, `start_crawl` or `start_sitemap`, changed by the crawl, stored by its
    caller.

    `sitemaps` has [address, level, failed attempts]; the guessed one is named by nobody.
    `site` is "" until the first page was fetched: its redirects may lead to another. `seen` has
    each address by a digest, `contents` the address of each body by its digest. `problem` is the
    first address that came to nothing, with the reason; `last_failure` is why the site does not
    answer, "" while it does.
    """

    start: str
    follows_links: bool = True
    site: str = ""
    sitemaps: list[list[Any]] = field(default_factory=list)
    guessed_sitemap: str = ""
    pending: deque[Visit] = field(default_factory=deque)
    seen: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    canonical_waiters: dict[str, list[list[Any]]] = field(default_factory=dict)
    variants: dict[str, int] = field(default_factory=dict)
    fetched: int = 0
    skipped: int = 0
    failed: int = 0
    requests: int = 0
    sitemap_files: int = 0
    failures_in_a_row: int = 0
    pauses: int = 0
    problem: str = ""
    last_failure: str = ""
    is_full: bool = False
    is_started: bool = False
    is_ended: bool = False

    def to_json(self) -> dict[str, Any]:
        """The state as a value that JSON has a form for. The crawl does not change it any more."""
        # Not by asdict, which copies 50,000 addresses one by one.
        state = {each.name: copy(getattr(self, each.name)) for each in fields(self)}
        state["pending"] = [
            [each.url, each.depth, each.attempts, each.is_alone] for each in self.pending
        ]
        waiters = self.canonical_waiters.items()
        state["canonical_waiters"] = {key: list(waiting) for key, waiting in waiters}
        return state

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """The state that `to_json` returned."""
        frontier = cls(**state)
        frontier.pending = deque(Visit(*each) for each in state["pending"])
        return frontier

    def state_of(self, url: str) -> str | None:
        return self.seen.get(key_of(url))

    def mark(self, url: str, state: Seen) -> None:
        self.seen[key_of(url)] = state.value


def start_page(url: str) -> Frontier:
    """The beginning of a crawl of one page, wherever it redirects to. Raises FetchFailed
    ("bad_url")."""
    start = entered_url(url)
    frontier = Frontier(start, follows_links=False, is_started=True)
    _add(frontier, Visit(start, 0))
    return frontier


def start_crawl(url: str, *, known: KnownPages | None = None) -> Frontier:
    """The beginning of a crawl from a page that a person named. Raises FetchFailed ("bad_url").

    `known`: the pages of the last crawl. They are visited again, after the first page: a page that
    has not changed is not sent, so its links would not be seen.
    """
    start = entered_url(url)
    frontier = Frontier(start)
    _add(frontier, Visit(start, 0))
    _add_known(frontier, known)
    return frontier


def start_sitemap(url: str, *, known: KnownPages | None = None) -> Frontier:
    """The beginning of a crawl of a sitemap's pages, whose links are not followed."""
    start = entered_url(url)
    frontier = Frontier(start, follows_links=False, sitemaps=[[start, 1, 0]], is_started=True)
    _add_known(frontier, known)
    return frontier


def key_of(url: str) -> str:
    """A short digest of what addresses of one page have in common."""
    return hashlib.sha256(page_key(url).encode()).hexdigest()[:16]


def _add_known(frontier: Frontier, known: KnownPages | None) -> None:
    for url, page in sorted((known or {}).items(), key=lambda item: item[1].depth):
        if frontier.state_of(url) is None:
            _add(frontier, Visit(url, page.depth))


def _add(frontier: Frontier, visit: Visit) -> None:
    frontier.mark(visit.url, Seen.PENDING)
    frontier.pending.append(visit)
