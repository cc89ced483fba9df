"""One request to a site with its redirects: each address is judged, each host visited in turn."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from apps.infrastructure.http.request_errors import RequestFailed
from apps.infrastructure.http.safe_http import GetLimits, GetResponse, get
from apps.infrastructure.http.url_validation import UrlNotAllowed
from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.host_turns import Turn, turn_at
from apps.knowledge.fetching.http_reasons import failure_of_request
from apps.knowledge.fetching.types import FetchOptions
from apps.knowledge.fetching.urls import host_of, normalize_url, readable

MAX_REDIRECTS = 5
"""As many as robots.txt has by RFC 9309. Browsers follow 20, Googlebot 10; a page that needs more
than five is a mistake of its site."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PAUSING = frozenset({429, 503})

Judge = Callable[[str], float]
"""Called with each address before it is requested. Returns the seconds between two requests to its
host. Raises FetchFailed if the address is not to be requested."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The response that was no redirect, and the address that gave it."""

    url: str
    response: GetResponse


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to each address. `wants_body`: which bodies are read."""

    headers: Mapping[str, str]
    max_bytes: int
    is_cut: bool = False
    wants_body: Callable[[str, GetResponse], bool] = lambda _url, head: head.status == 200


@dataclass(frozen=True, slots=True)
class _Chain:
    """Redirects, one after the other. Later than `follows_until` (`time.monotonic`) none is
    followed: a turn at a host lasts for the time of two requests."""

    seen: set[str]
    follows_until: float


def send(url: str, request: Request, *, options: FetchOptions, judge: Judge) -> Answer:
    """Request the address and follow its redirects. Raises FetchFailed or HostBusy."""
    chain = _Chain({url}, time.monotonic() + options.seconds)
    interval = judge(url)
    while True:
        with turn_at(host_of(url), options, interval_seconds=interval) as turn:
            answer, target = _send_to_host(url, request, options, turn, judge, chain)
        if target is None:
            return answer
        url = target
        interval = judge(url)


def _send_to_host(
    url: str, request: Request, options: FetchOptions, turn: Turn, judge: Judge, chain: _Chain
) -> tuple[Answer, str | None]:
    """Follow the redirects within one host in one turn: else others would come in between."""
    while True:
        response = _get(url, request, options)
        if response.status in _PAUSING and response.retry_after is not None:
            turn.pause_seconds = max(turn.pause_seconds, response.retry_after)
        if response.status not in _REDIRECTS:
            return Answer(url, response), None
        target = _redirect_target(url, response, chain.seen)
        if time.monotonic() > chain.follows_until:
            sentence = f"{host_of(url)} redirects for more than {options.seconds:g} seconds."
            raise FetchFailed("timed_out", sentence, is_temporary=True)
        if host_of(target) != host_of(url):
            return Answer(url, response), target
        judge(target)
        time.sleep(options.interval_seconds)
        url = target


def _get(url: str, request: Request, options: FetchOptions) -> GetResponse:
    seconds = options.seconds_left()
    if not seconds:
        raise _out_of_time()
    limits = GetLimits(
        seconds=seconds,
        max_bytes=request.max_bytes,
        is_cut=request.is_cut,
        min_bytes_per_second=options.min_bytes_per_second,
    )
    headers = {"User-Agent": options.user_agent, **request.headers}
    try:
        return get(
            url,
            headers=headers,
            limits=limits,
            allow_private=options.allows_private(urlsplit(url).hostname or ""),
            wants_body=lambda head: request.wants_body(url, head),
            resolve=options.resolve,
            tls=options.tls,
        )
    except (RequestFailed, UrlNotAllowed) as error:
        if not options.seconds_left():
            raise _out_of_time() from None
        raise failure_of_request(error, url, options, max_bytes=request.max_bytes) from None


def _out_of_time() -> FetchFailed:
    """Says nothing about the site: whoever has more time may get an answer."""
    return FetchFailed("out_of_time", "There was no time left to ask the site.", is_temporary=True)


def _redirect_target(url: str, response: GetResponse, seen: set[str]) -> str:
    """The next address. Raises FetchFailed for one that is not followed."""
    location = response.header("location")
    if not location:
        sentence = f"The site answered {response.status} without an address."
        raise FetchFailed("bad_redirect", sentence)
    if not location.isascii():
        # What is not UTF-8 has arrived as lone surrogates; servers mean Latin-1 by it.
        data = location.encode("utf-8", "surrogateescape")
        location = data.decode("utf-8" if _is_utf8(data) else "latin-1")
    try:
        target = normalize_url(location, url)
    except FetchFailed as failure:
        raise FetchFailed(
            "bad_redirect", f"The site redirects to what is not a page: {failure}"
        ) from None
    if target in seen:
        raise FetchFailed("bad_redirect", f"The site redirects in a circle, to {readable(target)}")
    if len(seen) > MAX_REDIRECTS:
        raise FetchFailed("bad_redirect", f"The site redirects more than {MAX_REDIRECTS} times.")
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http":
        raise FetchFailed(
            "insecure_redirect",
            f"The site redirects from https to {readable(target)}, where anybody on the way could"
            " change the page. Enter that address if you want it.",
        )
    seen.add(target)
    return target


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeError:
        return False
    return True
