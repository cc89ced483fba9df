"""What is fetched, by which rules, and what comes back. Plain values."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from apps.infrastructure.http.safe_http import Resolver, resolve_host

ROBOTS_TOKEN = "ParleyBot"  # noqa: S105 - the name that robots.txt calls us by
MAX_URL_CHARACTERS = 2000
"""Longer addresses are not fetched: servers differ in what they take, and traps grow them."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """On whose behalf pages are fetched, and within which limits.

    `private_hosts`: names of hosts that may have private addresses; "*" for all.
    `visitor`: who waits in a host's queue, such as a workspace's id: each has one place in it.
    `holder`: who has a turn at a host, such as a source's id. It takes over a turn of its own,
    which a process that was killed did not end. "" for one that nobody takes over.
    `interval_seconds`: the least time between two requests to a host, by all processes together.
    `robots_seconds`: how long a robots.txt is remembered.
    `patience_seconds`: how long to wait for a turn at a host before HostBusy is raised.
    `ends_at`: by which moment (`time.monotonic`) every request has ended, for somebody who waits.
    """

    visitor: str
    user_agent: str
    holder: str = ""
    private_hosts: frozenset[str] = frozenset()
    seconds: float = 30.0
    max_bytes: int = 20 * 1024 * 1024
    interval_seconds: float = 0.5
    max_crawl_delay_seconds: float = 10.0
    patience_seconds: float = 1.0
    min_bytes_per_second: int = 1000
    ends_at: float | None = None
    robots_seconds: float = 3600.0
    resolve: Resolver = field(default=resolve_host)
    tls: ssl.SSLContext | None = None

    def seconds_left(self) -> float:
        """How long the next request may take; 0 if there may be none."""
        if self.ends_at is None:
            return self.seconds
        return max(0.0, min(self.seconds, self.ends_at - time.monotonic()))

    def allows_private(self, host: str) -> bool:
        """Whether a host, given without its port, may have a private address."""
        return "*" in self.private_hosts or host in self.private_hosts


def fetch_options(visitor: str, *, holder: str = "") -> FetchOptions:
    """The options by the settings."""
    return FetchOptions(
        visitor=visitor,
        holder=holder,
        user_agent=user_agent(),
        private_hosts=frozenset(settings.FETCH_PRIVATE_HOSTS),
        seconds=settings.FETCH_TIMEOUT_SECONDS,
        max_bytes=settings.FETCH_MAX_BYTES,
        interval_seconds=settings.FETCH_INTERVAL_SECONDS,
        robots_seconds=settings.FETCH_ROBOTS_SECONDS,
    )


def user_agent() -> str:
    """Our user agent, with the address of the page about it."""
    return f"{ROBOTS_TOKEN}/1.0 (+{settings.PUBLIC_URL.rstrip('/')}/bot)"


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave with a page, so that it is sent again only if it has changed."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page or file. `url`: where it was found after redirects. `digest`: sha256 hex of the body.

    If `not_modified`, there is no body, and the page is as it was when the validators were given.
    """

    url: str
    body: bytes
    content_type: str
    validators: Validators
    not_modified: bool
    digest: str


@dataclass(frozen=True, slots=True)
class PageLinks:
    """What a web page says about itself to a crawler. Addresses are absolute and normalised.

    `canonical`: the page's own address, "" without one. `links`: in order, without repeats, without
    those that are marked nofollow. `noindex`, `nofollow`: what it asks of robots.
    """

    canonical: str = ""
    links: tuple[str, ...] = ()
    noindex: bool = False
    nofollow: bool = False


@dataclass(frozen=True, slots=True)
class CrawlRules:
    """What belongs to a crawl.

    `max_depth`: links away from the first page. `include`, `exclude`: patterns of paths, see
    `patterns`; without `include` everything is included, and `exclude` wins.
    """

    max_pages: int = 500
    max_depth: int = 5
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page of an earlier crawl, to be fetched again only if it has changed.

    Without validators it is fetched in any case. `digest`: of its body, "" if unknown.
    """

    validators: Validators = Validators()
    digest: str = ""
    depth: int = 1


KnownPages = Mapping[str, KnownPage]
"""The pages of the last crawl by their addresses (`FetchedPage.url`)."""
