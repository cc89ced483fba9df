"""robots.txt: what it forbids, when it cannot be read, and how often it is asked for."""

from __future__ import annotations

import pytest

from apps.knowledge.fetching.errors import FetchFailed
from apps.knowledge.fetching.links import robots_header
from apps.knowledge.fetching.pages import fetch_page
from apps.knowledge.fetching.robots import judge_by_robots, robots_of
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.site import Page, Site, endless, page, redirect, text


def is_allowed(site: Site, path: str) -> bool:
    return robots_of(site.url, options()).is_allowed(f"{site.url}{path}")


def with_robots(open_site: OpenSite, content: str) -> Site:
    return open_site({"/robots.txt": text(content), "/a": page()})


def test_forbidden_page_is_not_requested(open_site: OpenSite) -> None:
    site = with_robots(open_site, "User-agent: *\nDisallow: /a")
    with pytest.raises(FetchFailed) as caught:
        fetch_page(f"{site.url}/a", options=options())
    assert caught.value.code == "robots"
    assert str(caught.value) == "The site's robots.txt forbids this address to ParleyBot."
    assert site.requests == ["/robots.txt"]


@pytest.mark.parametrize(
    ("content", "path", "allowed"),
    [
        ("", "/a", True),
        ("<html>no robots</html>", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("\ufeffUser-agent: *\nDisallow: /", "/a", False),
        ("User-agent: OtherBot\nDisallow: /", "/a", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: parleybot\nAllow: /", "/a", True),
        ("User-agent: ParleyBot/1.0\nDisallow: /", "/a", False),
        ("User-agent: P\nDisallow: /", "/a", True),
        ("User-agent: x\nUser-agent: ParleyBot\nDisallow: /a$", "/a", False),
        ("User-agent: x\nUser-agent: ParleyBot\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /*.pdf$\nAllow: /free/", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$\nAllow: /free/", "/free/", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\r\nDisallow: /a # comment\r\n", "/a", False),
    ],
)
def test_rules_are_followed(open_site: OpenSite, content: str, path: str, allowed: bool) -> None:
    assert is_allowed(with_robots(open_site, content), path) is allowed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_all_is_allowed_without_robots(open_site: OpenSite, status: int) -> None:
    site = open_site({"/robots.txt": Page(b"User-agent: *\nDisallow: /", status)})
    assert is_allowed(site, "/a")


@pytest.mark.parametrize(
    ("served", "why"),
    [
        (Page(status=500), "The site answered 500"),
        (Page(status=503, headers={"Retry-After": "0"}), "The site answered 503"),
        (Page(status=429), "The site answered 429"),
        (Page(b"x", headers={"Content-Length": "9"}), "closed the connection early"),
    ],
)
def test_nothing_is_fetched_while_robots_cannot_be_read(
    open_site: OpenSite, served: Page, why: str
) -> None:
    site = open_site({"/robots.txt": served, "/a": page()})
    for _ in range(2):  # the second time without asking
        with pytest.raises(FetchFailed) as caught:
            fetch_page(f"{site.url}/a", options=options())
        assert (caught.value.code, caught.value.is_temporary) == ("robots_unreachable", True)
        assert str(caught.value).startswith("The site's robots.txt could not be read, so its")
        assert why in str(caught.value)
    assert site.requests == ["/robots.txt"]


def test_unreachable_robots_is_asked_for_again(open_site: OpenSite) -> None:
    site = open_site({"/robots.txt": Page(status=500), "/a": page()})
    forgetful = options(robots_seconds=0.0)
    with pytest.raises(FetchFailed, match="could not be read"):
        fetch_page(f"{site.url}/a", options=forgetful)
    site.pages["/robots.txt"] = text("")
    assert fetch_page(f"{site.url}/a", options=forgetful).body


def test_robots_is_asked_for_once(open_site: OpenSite) -> None:
    site = open_site({"/robots.txt": text("")}, make=lambda _: page())
    for path in ("/a", "/b", "/c"):
        fetch_page(f"{site.url}{path}", options=options())
    assert site.requests == ["/robots.txt", "/a", "/b", "/c"]


def test_robots_may_redirect(open_site: OpenSite) -> None:
    other = open_site({"/rules": text("User-agent: *\nDisallow: /a")})
    site = open_site({"/robots.txt": redirect(f"{other.url}/rules")})
    assert not is_allowed(site, "/a")
    circle = open_site({"/robots.txt": redirect("/robots.txt")})
    assert is_allowed(circle, "/a")


def test_first_500_kib_are_read(open_site: OpenSite) -> None:
    rules = b"User-agent: *\nDisallow: /a\n"
    long = Page(rules + b"#" * 500 * 1024 + b"\nDisallow: /b\n", content_type="text/plain")
    site = open_site({"/robots.txt": long})
    assert not is_allowed(site, "/a")
    assert is_allowed(site, "/b")
    assert is_allowed(open_site({"/robots.txt": Page(pieces=endless)}), "/a")


def test_many_robots_with_many_rules_are_parsed(open_site: OpenSite) -> None:
    """Names times rules: 15,000 names in one group with 15,000 rules."""
    names = "".join(f"User-agent: bot{n}\n" for n in range(15_000))
    site = with_robots(open_site, f"{names}User-agent: *\n" + "Disallow: /a*b*c\n" * 15_000)
    assert not is_allowed(site, "/a" + "b" * 1000 + "c")


@pytest.mark.parametrize(
    ("line", "interval"),
    [
        ("", 0.5),
        ("Crawl-delay: 3", 3),
        ("Crawl-delay: 0.1", 0.5),
        ("Crawl-delay: 86400", 10),
        ("Crawl-delay: soon", 0.5),
        ("Crawl-delay: nan", 0.5),
        ("Crawl-delay: -4", 0.5),
    ],
)
def test_crawl_delay_is_honoured_up_to_a_limit(
    open_site: OpenSite, line: str, interval: float
) -> None:
    site = with_robots(open_site, f"User-agent: *\n{line}\n")
    assert judge_by_robots(f"{site.url}/a", options(interval_seconds=0.5)) == interval


def test_sitemaps_are_listed(open_site: OpenSite) -> None:
    site = with_robots(
        open_site, "Sitemap: /map.xml\nsitemap: https://cdn.example/a.xml\nSitemap: nonsense:\n"
    )
    sitemaps = robots_of(site.url, options()).sitemaps
    assert sitemaps == (f"{site.url}/map.xml", "https://cdn.example/a.xml")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), (False, False)),
        (("noindex",), (True, False)),
        (("NoIndex, NoFollow",), (True, True)),
        (("none",), (True, True)),
        (("otherbot: noindex",), (False, False)),
        (("otherbot: noindex, nofollow",), (False, False)),
        (("otherbot: noindex", "nofollow"), (False, True)),
        (("parleybot: noindex",), (True, False)),
        (("unavailable_after: 25 Jun 2030 15:00:00 PST, noindex",), (True, False)),
        (("max-snippet: 20",), (False, False)),
    ],
)
def test_robots_header_is_read(values: tuple[str, ...], expected: tuple[bool, bool]) -> None:
    assert robots_header(values) == expected
