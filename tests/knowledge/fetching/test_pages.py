"""One page: what comes back, and the reason when nothing does."""

from __future__ import annotations

import gzip
import hashlib
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.pages import fetch_page
from apps.knowledge.fetching.robots import robots_of
from apps.knowledge.fetching.types import Validators
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.site import (
    Page,
    Site,
    closed_port,
    dripping,
    endless,
    html,
    page,
    redirect,
    text,
)
from tests.tls_certificates import write_certificate

PDF = Page(b"%PDF-1.7", content_type="application/pdf")


def failure(url: str, **given: Any) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        fetch_page(url, options=options(**given))
    return caught.value


def test_page_is_fetched(site: Site) -> None:
    body = html(title="Prices")
    site.pages["/prices"] = Page(body, etag='"7"', headers={"Last-Modified": "Sat, 1 Nov 2025"})
    fetched = fetch_page(f"{site.url}/prices#plans", options=options())
    assert (fetched.url, fetched.body) == (f"{site.url}/prices", body)
    assert fetched.content_type == "text/html; charset=utf-8"
    assert fetched.validators == Validators('"7"', "Sat, 1 Nov 2025")
    assert fetched.digest == hashlib.sha256(body).hexdigest()
    assert not fetched.not_modified
    assert site.requests == ["/robots.txt", "/prices"]
    agents = {headers["user-agent"] for headers in site.headers.values()}
    assert agents == {"ParleyBot/1.0 (+https://parley.example/bot)"}


def test_unchanged_page_is_not_sent_again(site: Site) -> None:
    site.pages["/"] = page(etag='"7"')
    first = fetch_page(site.url, options=options())
    second = fetch_page(site.url, options=options(), validators=first.validators)
    assert (second.not_modified, second.body) == (True, b"")
    assert second.validators == first.validators
    site.pages["/"] = page(title="New", etag='"8"')
    third = fetch_page(site.url, options=options(), validators=first.validators)
    assert (third.not_modified, third.validators.etag) == (False, '"8"')


def test_validator_that_is_no_header_is_not_sent(site: Site) -> None:
    site.pages["/"] = page()
    validators = Validators("a\r\nX-Evil: 1", "ü")
    fetch_page(site.url, options=options(), validators=validators)
    assert not {"if-none-match", "if-modified-since", "x-evil"} & set(site.headers["/"])


@pytest.mark.parametrize(
    ("status", "sentence", "is_temporary"),
    [
        (401, "The site answered 401 (Unauthorized): the page needs a login.", False),
        (403, "The site answered 403 (Forbidden) to our user agent ParleyBot. Allow", False),
        (404, "The site answered 404 (Not Found): there is no page at this address.", False),
        (410, "The site answered 410 (Gone): the page was removed.", False),
        (418, "The site answered 418 (I'm a Teapot).", False),
        (429, "The site answered 429 (Too Many Requests): it wants fewer requests.", True),
        (500, "The site answered 500 (Internal Server Error): it has a problem of its", True),
        (503, "The site answered 503 (Service Unavailable): it has a problem of its own.", True),
        (599, "The site answered 599: it has a problem of its own.", False),
    ],
)
def test_status_is_told_in_words(
    site: Site, status: int, sentence: str, is_temporary: bool
) -> None:
    site.pages["/"] = Page(b"<p>Sorry</p>", status)
    found = failure(site.url)
    assert str(found).startswith(sentence)
    assert (found.code, found.is_temporary) == (f"http_{status}", is_temporary)
    assert found.is_gone is (status in (404, 410))


def test_retry_after_is_told(site: Site) -> None:
    site.pages["/"] = Page(status=503, headers={"Retry-After": "0"})
    assert failure(site.url).retry_after == 0


def test_protection_that_wants_a_browser_is_told(site: Site) -> None:
    site.pages["/"] = Page(b"x", 403, headers={"cf-mitigated": "challenge"})
    assert "prove that they use a browser" in str(failure(site.url))


@pytest.mark.parametrize(
    ("served", "code", "sentence"),
    [
        (Page(b""), "empty", "The site answered with an empty page."),
        (Page(b" \n "), "empty", "The site answered with an empty page."),
        (
            Page(b"x", content_type="image/png"),
            "unreadable_type",
            "The address has an image (image/png), which has no text to read.",
        ),
        (
            Page(pieces=endless, content_type="video/mp4"),
            "unreadable_type",
            "The address has a video (video/mp4), which has no text to read.",
        ),
        (
            Page(b"PK", content_type="application/octet-stream"),
            "unreadable_type",
            "The address has a file of the type application/octet-stream, which has no text",
        ),
        (Page(b"x" * 200_001), "too_large", "The page or file is larger than 200,000 bytes."),
        (Page(pieces=endless), "too_large", "The page or file is larger than"),
        (
            Page(gzip.compress(b"\0" * 9_000_000), headers={"Content-Encoding": "gzip"}),
            "too_large",
            "The page or file is larger than",
        ),
        (Page(b"x", headers={"Content-Encoding": "br"}), "damaged", "What site-"),
        (page(head='<meta name="robots" content="noindex">'), "noindex", "The page asks robots"),
        (page(head='<META NAME="ParleyBot" CONTENT="none">'), "noindex", "The page asks robots"),
        (page(headers={"X-Robots-Tag": "noindex, nofollow"}), "noindex", "The page asks robots"),
    ],
)
def test_unusable_page_is_told_in_words(site: Site, served: Page, code: str, sentence: str) -> None:
    site.pages["/"] = served
    found = failure(site.url)
    assert (found.code, found.is_temporary) == (code, False)
    assert str(found).startswith(sentence)


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("/a", PDF),
        ("/a", text("# Title", "text/markdown")),
        ("/a", text("a,b", "text/csv")),
        ("/a", Page(html(), content_type="application/xhtml+xml")),
        ("/a.pdf", Page(b"%PDF", content_type="application/octet-stream")),
        ("/a", Page(html(), content_type="")),
        ("/a", page(headers={"X-Robots-Tag": "otherbot: noindex"})),
        ("/a", page(headers={"X-Robots-Tag": "unavailable_after: 25 Jun 2030 15:00:00 PST"})),
        ("/a", page(head='<meta name="robots" content="noarchive">')),
    ],
)
def test_readable_type_is_fetched(site: Site, path: str, served: Page) -> None:
    site.pages[path] = served
    assert fetch_page(f"{site.url}{path}", options=options()).body == served.body


# Servers that cannot be reached.


def test_unknown_name_is_told() -> None:
    found = failure("https://nowhere.invalid/a")
    assert (found.code, found.is_temporary) == ("dns", False)
    assert str(found) == "There is no server with the name nowhere.invalid (DNS lookup failed)."


def test_refused_connection_is_told() -> None:
    found = failure(f"http://closed.example:{closed_port()}/")
    assert (found.code, found.is_temporary) == ("refused", True)
    assert "does not accept connections" in str(found)


def test_private_address_is_told(site: Site) -> None:
    found = failure(site.url, private_hosts=frozenset())
    assert (found.code, found.is_temporary) == ("private_address", False)
    assert "leads to an address that is not on the public internet" in str(found)
    assert site.connections == 0


def test_server_without_tls_is_told(site: Site) -> None:
    found = failure(site.url.replace("http:", "https:"))
    assert (found.code, found.is_temporary) == ("tls", False)


def test_slow_server_is_told(site: Site) -> None:
    robots_of(site.url, options())  # it is remembered: only the page has half a second
    site.pages["/"] = Page(pieces=dripping)
    found = failure(site.url, seconds=0.5)
    assert (found.code, found.is_temporary) == ("timed_out", True)
    assert "did not answer completely within 0.5 seconds" in str(found)


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(site: Site, status: int) -> None:
    site.pages["/old"] = redirect("new?a=b#c", status)
    site.pages["/new?a=b"] = page(title="New")
    assert fetch_page(f"{site.url}/old", options=options()).url == f"{site.url}/new?a=b"


def test_redirect_to_another_host_is_judged_by_its_robots(open_site: OpenSite) -> None:
    other = open_site({"/robots.txt": text("User-agent: *\nDisallow: /secret"), "/": page()})
    site = open_site({"/a": redirect(f"{other.url}/"), "/b": redirect(f"{other.url}/secret")})
    assert fetch_page(f"{site.url}/a", options=options()).url == f"{other.url}/"
    assert failure(f"{site.url}/b").code == "robots"
    assert other.requests == ["/robots.txt", "/"]


def test_redirect_within_the_host_is_judged_too(site: Site) -> None:
    site.pages |= {"/robots.txt": text("User-agent: *\nDisallow: /b"), "/a": redirect("/b")}
    assert failure(f"{site.url}/a").code == "robots"
    assert site.requests == ["/robots.txt", "/a"]


def test_redirect_from_https_to_http_is_refused(open_site: OpenSite, tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path / "both.pem", "*.sites.example")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    plain = open_site({"/": page()})
    site = open_site({"/a": redirect("/b"), "/b": page(), "/c": redirect(plain.url)}, tls=serving)
    fetched = fetch_page(f"{site.url}/a", options=options(tls=trusting))
    assert fetched.url == f"{site.url}/b"
    found = failure(f"{site.url}/c", tls=trusting)
    assert (found.code, found.is_temporary) == ("insecure_redirect", False)
    assert plain.connections == 0
    plain.pages["/"] = redirect(f"{site.url}/b")
    assert fetch_page(plain.url, options=options(tls=trusting)).url == f"{site.url}/b"
    assert failure(f"{site.url}/b").code == "tls"  # nobody vouches for the certificate


def test_five_redirects_are_followed(site: Site) -> None:
    site.pages |= {f"/{n}": redirect(f"/{n + 1}") for n in range(6)}
    site.pages["/6"] = page()
    assert fetch_page(f"{site.url}/1", options=options()).url == f"{site.url}/6"
    assert str(failure(f"{site.url}/0")) == "The site redirects more than 5 times."


def test_circle_of_redirects_is_told(site: Site) -> None:
    site.pages |= {"/a": redirect("/b"), "/b": redirect("/a")}
    assert str(failure(f"{site.url}/a")).startswith("The site redirects in a circle")


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://127.0.0.1:8000/", "private_address"),
        ("http://169.254.169.254/latest/meta-data", "private_address"),
        ("http://[::1]/", "private_address"),
        ("http://inside.example/", "private_address"),
        ("file:///etc/passwd", "bad_redirect"),
        ("gopher://a.example/", "bad_redirect"),
        ("", "bad_redirect"),
    ],
)
def test_redirect_into_a_private_network_is_refused(site: Site, location: str, code: str) -> None:
    """Only the site's own name may have a private address here."""
    site.pages["/"] = redirect(location)
    own = site.url.removeprefix("http://").partition(":")[0]
    found = failure(
        site.url,
        resolve=lambda name: ["127.0.0.1"] if name == own else ["10.0.0.1"],
        private_hosts=frozenset({own}),
    )
    assert found.code == code
    assert site.requests == ["/robots.txt", "/"]


def test_nothing_is_requested_after_the_end(site: Site) -> None:
    """What robots.txt says is not taken for unknown afterwards."""
    site.pages["/"] = page()
    assert failure(site.url, ends_at=time.monotonic() - 1).code == "out_of_time"
    assert site.requests == []
    assert fetch_page(site.url, options=options()).body == html()


def test_request_ends_by_the_end(site: Site) -> None:
    site.pages["/"] = Page(pieces=dripping)
    assert robots_of(f"{site.url}/", options()).is_allowed(f"{site.url}/")
    assert failure(site.url, ends_at=time.monotonic() + 0.3).code == "out_of_time"
