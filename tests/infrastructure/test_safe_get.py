"""GET requests to addresses that customers chose: limits of the body, and who is never reached."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from apps.infrastructure.http.request_errors import (
    BodyNotReadable,
    BodyTooLarge,
    ConnectionFailed,
    NameNotResolved,
    RequestFailed,
    RequestTimedOut,
)
from apps.infrastructure.http.response_bodies import Inflater
from apps.infrastructure.http.safe_http import GetLimits, GetResponse, get
from apps.infrastructure.http.url_validation import AddressNotPublic, UrlNotAllowed
from tests.knowledge.site import Page, Site, closed_port, dripping, endless, redirect

LIMITS = GetLimits(seconds=5.0, max_bytes=100_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as started:
        yield started


def fetch(url: str, **given: Any) -> GetResponse:
    options: dict[str, Any] = {"headers": {}, "limits": LIMITS, "allow_private": True}
    return get(url, **options | given)


def test_response_is_complete(site: Site) -> None:
    site.pages["/a%2Fb?c=d%20e"] = Page(b"hello", headers={"X-A": "b", "Retry-After": "7"})
    response = fetch(f"{site.url}/a%2Fb?c=d%20e", headers={"User-Agent": "Bot/1"})
    assert (response.status, response.body, response.retry_after) == (200, b"hello", 7)
    assert (response.header("x-a"), response.header("X-None")) == ("b", "")
    assert site.headers["/a%2Fb?c=d%20e"]["user-agent"] == "Bot/1"


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("gzip", gzip.compress(b"x" * 50_000)),
        ("x-gzip", gzip.compress(b"x" * 20_000) + gzip.compress(b"x" * 30_000) + b"\0" * 8),
        ("deflate", zlib.compress(b"x" * 50_000)),
        ("deflate", zlib.compress(b"x" * 50_000, wbits=-15)),
        ("identity", b"x" * 50_000),
    ],
    ids=["gzip", "two members of gzip", "zlib", "deflate", "identity"],
)
def test_body_is_decompressed(site: Site, encoding: str, encoded: bytes) -> None:
    site.pages["/"] = Page(encoded, headers={"Content-Encoding": encoding})
    assert fetch(f"{site.url}/").body == b"x" * 50_000
    assert site.headers["/"]["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [
        ("gzip", b"not gzip"),
        ("br", b"anything"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
        ("gzip", gzip.compress(b"x" * 50_000)[:-20]),
        ("gzip", gzip.compress(b"") * 1000),
    ],
    ids=["no gzip", "unknown", "twice", "cut off", "a thousand members"],
)
def test_wrongly_compressed_body_is_a_failure(site: Site, encoding: str, encoded: bytes) -> None:
    site.pages["/"] = Page(encoded, headers={"Content-Encoding": encoding})
    with pytest.raises(BodyNotReadable):
        fetch(f"{site.url}/")


@pytest.mark.parametrize(
    "page",
    [
        Page(b"x" * 100_001),
        Page(pieces=endless),
        Page(gzip.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "gzip"}),
        Page(zlib.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "deflate"}),
    ],
    ids=["large", "endless", "gzip bomb", "deflate bomb"],
)
def test_large_body_is_a_failure_or_is_cut(site: Site, page: Page) -> None:
    site.pages["/"] = page
    with pytest.raises(BodyTooLarge):
        fetch(f"{site.url}/")
    limits = GetLimits(seconds=5.0, max_bytes=1000, is_cut=True)
    assert len(fetch(f"{site.url}/", limits=limits).body) == 1000


def test_bomb_in_a_later_member_does_not_grow() -> None:
    bomb = gzip.compress(b"x" * 11) + gzip.compress(b"\0" * 50_000_000)
    assert Inflater("gzip", max_bytes=10).feed(bomb) == b"x" * 11


def test_slow_body_is_a_failure(site: Site) -> None:
    site.pages["/"] = Page(pieces=dripping)
    paced = GetLimits(seconds=30, max_bytes=1000, min_bytes_per_second=1000, pace_seconds=0.2)
    with pytest.raises(RequestTimedOut, match="arrived too slowly"):
        fetch(f"{site.url}/", limits=paced)
    with pytest.raises(RequestTimedOut, match=r"^No response within 0\.5 seconds\.$"):
        fetch(f"{site.url}/", limits=GetLimits(seconds=0.5, max_bytes=1000))


def test_body_that_is_not_wanted_is_not_read(site: Site) -> None:
    site.pages["/"] = Page(pieces=endless, status=403)
    response = fetch(f"{site.url}/", wants_body=lambda head: head.status == 200)
    assert (response.status, response.body) == (403, b"")


def test_incomplete_body_is_a_failure(site: Site) -> None:
    site.pages["/"] = Page(b"half", headers={"Content-Length": "400"})
    with pytest.raises(RequestFailed, match="closed early"):
        fetch(f"{site.url}/")


def test_redirect_is_not_followed(site: Site) -> None:
    site.pages["/"] = redirect("/other")
    response = fetch(f"{site.url}/")
    assert (response.status, response.header("location")) == (301, "/other")
    assert site.requests == ["/"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_private_address_is_not_connected_to(site: Site, scheme: str) -> None:
    with pytest.raises(AddressNotPublic):
        fetch(f"{scheme}://127.0.0.1:{site.port}/", allow_private=False)
    with pytest.raises(AddressNotPublic, match="leads to an address"):
        fetch(
            f"{scheme}://example.com:{site.port}/",
            allow_private=False,
            resolve=lambda _: ["127.0.0.1"],
        )
    assert site.connections == 0


def test_plain_http_may_use_its_own_port() -> None:
    resolved: list[str] = []

    def resolve(name: str) -> list[str]:
        resolved.append(name)
        raise OSError("no such name")

    with pytest.raises(NameNotResolved):
        fetch("http://example.com/", allow_private=False, resolve=resolve)
    with pytest.raises(UrlNotAllowed, match="Use port 443"):
        fetch("https://example.com:80/", allow_private=False, resolve=resolve)
    assert resolved == ["example.com"]


def test_refused_connection_is_a_failure() -> None:
    with pytest.raises(ConnectionFailed):
        fetch(f"http://127.0.0.1:{closed_port()}/")
