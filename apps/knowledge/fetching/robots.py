"""robots.txt of a site: read once an hour, by RFC 9309, for all processes.

| robots.txt | pages |
|---|---|
| is read | by its rules for ParleyBot, else those for * |
| 4xx, redirects too often or to where we do not go | all allowed |
| 429, 5xx, no complete answer | none for now |
"""

import json
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from protego import Protego

from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker
from apps.infrastructure.redis.clients import KEY_PREFIX, blocking_redis_client
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.http_reasons import failure_of_status
from apps.knowledge.fetching.requests import Request, send
from apps.knowledge.fetching.types import ROBOTS_TOKEN, FetchOptions
from apps.knowledge.fetching.urls import normalize_url, origin_of

MAX_ROBOTS_BYTES = 500 * 1024
"""What is read of it: the least that RFC 9309 allows, and what Google reads."""
UNREACHABLE_SECONDS = 120.0
"""How soon a robots.txt that could not be read is asked for again."""

_MAX_SHARED_BYTES = 64 * 1024
# Larger ones are cached by each process alone: sites must not fill Redis.
_MAX_CACHED = 100
_MAX_SITEMAPS = 100
_NO_ADDRESS = frozenset({"dns", "refused", "tls", "private_address", "bad_url"})
_REDIRECTED_AWAY = frozenset({"bad_redirect", "insecure_redirect"})
_USER_AGENT_LINE = re.compile(r"\s*user[- ]?agent\s*(?::|\s)\s*([^#]*)", re.IGNORECASE)
_breaker = CircuitBreaker(seconds=5)


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What a site asks of our robot. `crawl_delay`: seconds. `sitemaps`: absolute addresses."""

    parsed: Protego
    crawl_delay: float
    sitemaps: tuple[str, ...]

    def is_allowed(self, url: str) -> bool:
        return self.parsed.can_fetch(url, ROBOTS_TOKEN)


def judge_by_robots(url: str, options: FetchOptions) -> float:
    """Return the seconds between two requests to the host. Raises FetchFailed if it is forbidden,
    or HostBusy."""
    rules = robots_of(url, options)
    if not rules.is_allowed(url):
        raise FetchFailed(
            "robots", f"The site's robots.txt forbids this address to {ROBOTS_TOKEN}."
        )
    delay = min(rules.crawl_delay, options.max_crawl_delay_seconds)
    return max(delay, options.interval_seconds)


def robots_of(url: str, options: FetchOptions) -> RobotsRules:
    """The rules of the address's site.

    Raises FetchFailed ("robots_unreachable", temporary, or why the host cannot be reached at all)
    or HostBusy.
    """
    origin = origin_of(url)
    cached = _process_cache.get(origin)
    if cached is None:
        record = _read_shared(origin)
        if record is None:
            record = {**_fetch(origin, options), "fetched_at": time.time()}
            _write_shared(origin, record, options)
        cached = _process_cache.put(origin, record, options)
    if isinstance(cached, FetchFailed):
        raise FetchFailed(
            cached.code, str(cached), is_temporary=True, retry_after=cached.retry_after
        )
    return cached


_Record = dict[str, Any]
"""{"text"} of what was read, or {"sentence", "retry_after"} if it could not be; "fetched_at"."""


def _fetch(origin: str, options: FetchOptions) -> _Record:
    request = Request({"Accept": "text/plain, */*;q=0.5"}, MAX_ROBOTS_BYTES, is_cut=True)
    try:
        answer = send(
            f"{origin}/robots.txt",
            request,
            options=options,
            judge=lambda _: options.interval_seconds,
        )
    except FetchFailed as failure:
        if failure.code in _REDIRECTED_AWAY:
            return {"text": ""}
        if failure.code in _NO_ADDRESS or failure.code == "out_of_time":
            raise
        return _unreachable(str(failure), failure.retry_after)
    status = answer.response.status
    if status == 429 or status >= 500:
        refused = failure_of_status(answer.response)
        return _unreachable(str(refused), refused.retry_after)
    text = answer.response.body.decode("utf-8", "replace") if status == 200 else ""
    return {"text": _merge_other_groups(text.removeprefix("\ufeff"))}


def _unreachable(why: str, retry_after: int | None) -> _Record:
    sentence = (
        f"The site's robots.txt could not be read, so its pages are left alone for now. {why}"
    )
    return {"sentence": sentence, "retry_after": retry_after}


def _merge_other_groups(text: str) -> str:
    """Give all other robots one name: the parser's time grows with names times rules."""
    lines = []
    for line in text.splitlines():
        match = _USER_AGENT_LINE.match(line)
        name = match[1].strip().lower().partition("/")[0] if match else ""
        if match is None:
            lines.append(line)
        elif name in ("*", ROBOTS_TOKEN.lower()):
            lines.append(f"User-agent: {name}")
        else:
            lines.append("User-agent: other")
    return "\n".join(lines)


def _parse(origin: str, record: _Record) -> RobotsRules | FetchFailed:
    if "sentence" in record:
        return FetchFailed(
            "robots_unreachable",
            str(record["sentence"]),
            is_temporary=True,
            retry_after=record.get("retry_after"),
        )
    parsed = Protego.parse(str(record["text"]))
    sitemaps: list[str] = []
    for each in parsed.sitemaps:
        try:
            sitemaps.append(normalize_url(each, origin))
        except FetchFailed:
            continue
        if len(sitemaps) == _MAX_SITEMAPS:
            break
    return RobotsRules(parsed, parsed.crawl_delay(ROBOTS_TOKEN) or 0.0, tuple(sitemaps))


def _seconds_to_keep(record: _Record, options: FetchOptions) -> float:
    """How much longer the record is good. Its age counts by the clocks of two machines."""
    is_unreachable = "sentence" in record
    seconds = (
        min(UNREACHABLE_SECONDS, options.robots_seconds)
        if is_unreachable
        else (options.robots_seconds)
    )
    return seconds - max(0.0, time.time() - float(record["fetched_at"]))


def _key(origin: str) -> str:
    return f"{KEY_PREFIX}robots:{origin}"


def _read_shared(origin: str) -> _Record | None:
    if not _breaker.may_call():
        return None
    try:
        found = blocking_redis_client().get(_key(origin))
        _breaker.close()
    except REDIS_ERRORS:
        _breaker.open()
        return None
    return dict(json.loads(found)) if isinstance(found, bytes) else None


def _write_shared(origin: str, record: _Record, options: FetchOptions) -> None:
    written = json.dumps(record).encode()
    if len(written) > _MAX_SHARED_BYTES or not _breaker.may_call():
        return
    milliseconds = round(_seconds_to_keep(record, options) * 1000)
    if milliseconds <= 0:
        return
    try:
        blocking_redis_client().set(_key(origin), written, px=milliseconds)
        _breaker.close()
    except REDIS_ERRORS:
        _breaker.open()


class _ProcessCache:
    """The parsed rules of the sites that this process visited last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[float, RobotsRules | FetchFailed]] = OrderedDict()

    def get(self, origin: str) -> RobotsRules | FetchFailed | None:
        expires_at, rules = self._entries.get(origin, (0.0, None))
        return rules if expires_at > time.monotonic() else None

    def put(self, origin: str, record: _Record, options: FetchOptions) -> RobotsRules | FetchFailed:
        rules = _parse(origin, record)
        expires_at = time.monotonic() + _seconds_to_keep(record, options)
        with self._lock:
            self._entries[origin] = expires_at, rules
            self._entries.move_to_end(origin)
            while len(self._entries) > _MAX_CACHED:
                self._entries.popitem(last=False)
        return rules


_process_cache = _ProcessCache()
