"""Web sources: their address and rules, how a crawl begins, and what it would visit."""

import time
from collections.abc import Mapping
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any

from django.core.exceptions import ValidationError

from apps.core.errors import ServiceUnavailable, TooManyRequests
from apps.infrastructure.redis.rate_limit import RateLimit, admit_sync
from apps.knowledge.fetching.crawling.frontier import (
    Frontier,
    start_crawl,
    start_page,
    start_sitemap,
)
from apps.knowledge.fetching.crawling.preview import Preview, preview
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.types import CrawlRules, KnownPages, fetch_options
from apps.knowledge.fetching.urls import entered_url, normalize_url
from apps.knowledge.models import SourceType

MAX_PAGES = 10_000
MAX_DEPTH = 20
MAX_PATTERNS = 50
MAX_PATTERN_LENGTH = 500

PREVIEWS_PER_MINUTE = 10
"""Of a workspace."""
PREVIEW_SECONDS = 6.0
"""A preview begins no request after this, and ends all of them PREVIEW_END_SECONDS after its
beginning."""
PREVIEW_END_SECONDS = 9.0

_previews = BoundedSemaphore(4)
"""The previews of this process: each has a thread and waits for somebody else's server."""

_TOO_MANY_PREVIEWS = "This workspace has asked for many previews. Please wait a moment."
_RULES = {
    SourceType.PAGE: (),
    SourceType.SITEMAP: ("max_pages", "include", "exclude"),
    SourceType.CRAWL: ("max_pages", "max_depth", "include", "exclude"),
}
_LARGEST = {"max_pages": MAX_PAGES, "max_depth": MAX_DEPTH}
_SMALLEST = {"max_pages": 1, "max_depth": 0}


def typed_url(text: str) -> str:
    """The address that a person typed, with https if it names no scheme. Raises ValidationError."""
    try:
        return entered_url(text)
    except FetchFailed as failure:
        raise ValidationError(str(failure)) from None


def valid_url(text: str) -> str:
    """The address of a web source as it is stored. Raises ValidationError.

    Whether the host is one that may be fetched is found out whenever it is fetched: by then its
    name may lead elsewhere.
    """
    try:
        return normalize_url(text)
    except FetchFailed as failure:
        raise ValidationError({"url": str(failure)}) from None


def valid_rules(source_type: SourceType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a web source as they are stored: those of `CrawlRules` that were given.

    Raises ValidationError.
    """
    rules: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _RULES[source_type]:
            kind = source_type.label.lower()
            raise ValidationError({name: f"A {kind} has no such rule."})
        rules[name] = (
            _valid_number(name, value) if name in _LARGEST else _valid_patterns(name, value)
        )
    return rules


def _valid_number(name: str, value: Any) -> int:
    least, most = _SMALLEST[name], _LARGEST[name]
    if not least <= value <= most:
        raise ValidationError({name: f"This must be {least} to {most:,}."})
    return int(value)


def _valid_patterns(name: str, values: Any) -> list[str]:
    patterns = [pattern.strip() for pattern in values]
    if len(patterns) > MAX_PATTERNS:
        raise ValidationError({name: f"Give at most {MAX_PATTERNS} patterns."})
    for pattern in patterns:
        if not 1 <= len(pattern) <= MAX_PATTERN_LENGTH:
            raise ValidationError({name: f"A pattern has 1 to {MAX_PATTERN_LENGTH} characters."})
    return patterns


def preview_crawl(
    *, workspace_id: str, source_type: SourceType, url: str, rules: Mapping[str, Any]
) -> Preview:
    """What a web source with this valid address and these valid rules would visit, within
    PREVIEW_END_SECONDS. Blocks meanwhile; must not be called in a transaction.

    Raises TooManyRequests beyond PREVIEWS_PER_MINUTE, and ServiceUnavailable if this process makes
    too many others.
    """
    limit = RateLimit(f"crawl-preview:{workspace_id}", PREVIEWS_PER_MINUTE, 60)
    window = admit_sync(limit)
    if not window.admitted:
        raise TooManyRequests(window.retry_after, _TOO_MANY_PREVIEWS)
    if not _previews.acquire(blocking=False):
        raise ServiceUnavailable
    try:
        options = fetch_options(f"{workspace_id}-preview")
        return preview(
            new_frontier(source_type, url),
            rules=crawl_rules(source_type, rules),
            options=replace(options, ends_at=time.monotonic() + PREVIEW_END_SECONDS),
            seconds=PREVIEW_SECONDS,
        )
    finally:
        _previews.release()


def new_frontier(source_type: str, url: str, *, known: KnownPages | None = None) -> Frontier:
    """The beginning of a crawl of a web source. `known`: the pages of the last one."""
    match source_type:
        case SourceType.PAGE:
            return start_page(url)
        case SourceType.SITEMAP:
            return start_sitemap(url, known=known)
        case _:
            return start_crawl(url, known=known)


def crawl_rules(source_type: str, rules: Mapping[str, Any]) -> CrawlRules:
    """The rules as a crawl wants them, with defaults for those that are not stored."""
    if source_type == SourceType.PAGE:
        return CrawlRules(max_pages=1, max_depth=0)
    default = CrawlRules()
    return CrawlRules(
        max_pages=rules.get("max_pages", default.max_pages),
        max_depth=rules.get("max_depth", default.max_depth),
        include=tuple(rules.get("include", ())),
        exclude=tuple(rules.get("exclude", ())),
    )
