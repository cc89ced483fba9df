"""Sites that never end do end."""

from __future__ import annotations

import pytest

from apps.knowledge.fetching.crawling.traps import MAX_VARIANTS
from apps.knowledge.fetching.types import CrawlRules
from tests.knowledge.fetching.conftest import OpenSite
from tests.knowledge.fetching.crawling.crawls import run_crawl
from tests.knowledge.site import Page, endless, page, text


def test_endless_links_end_with_the_limit_of_pages(open_site: OpenSite) -> None:
    def endless_page(path: str) -> Page:
        return page(f"{path}x", f"{path}y", title=path)

    site = open_site({"/robots.txt": text("")}, make=endless_page)
    crawled = run_crawl(site, rules=CrawlRules(max_pages=20, max_depth=1000))
    assert len(crawled.fetched) == 20
    assert crawled.note.startswith("The limit of 20 pages is reached; ")
    assert crawled.end is not None
    assert (crawled.end.is_complete, crawled.end.left > 0) == (False, True)


def test_many_links_are_remembered_up_to_a_limit(open_site: OpenSite) -> None:
    site = open_site({"/robots.txt": text("")})
    site.make = lambda path: page(*(f"{path}{n}" for n in range(400)), title=path)
    crawled = run_crawl(site, rules=CrawlRules(max_pages=5))
    assert crawled.end is not None
    assert crawled.end.left <= 1050
    assert "at least" in crawled.note


def test_repeating_paths_end(open_site: OpenSite) -> None:
    """A relative link gone wrong: each page links to a/b below itself."""
    site = open_site({"/robots.txt": text("")}, make=lambda path: page("a/b/", title=path))
    crawled = run_crawl(site, rules=CrawlRules(max_depth=1000))
    assert crawled.fetched == ["/", "/a/b/", "/a/b/a/b/", "/a/b/a/b/a/b/"]
    assert crawled.left_out == {"/a/b/a/b/a/b/a/b/": "trap"}


@pytest.mark.parametrize("link", ["/calendar?month={}", "/calendar/2026/{}"])
def test_calendar_ends(open_site: OpenSite, link: str) -> None:
    def month(path: str) -> Page:
        number = int("".join(filter(str.isdigit, path.replace("2026", ""))) or 0)
        return page(link.format(number + 1), title=path)

    site = open_site({"/robots.txt": text("")}, make=month)
    crawled = run_crawl(site, rules=CrawlRules(max_depth=1000))
    assert len(crawled.fetched) <= MAX_VARIANTS + 1
    assert list(crawled.left_out.values()) == ["trap"]
    assert "/calendar" in site.requests_for_pages()[1]


def test_many_parameters_are_a_trap(open_site: OpenSite) -> None:
    query = "&".join(f"filter{n}=1" for n in range(7))
    site = open_site({"/": page(f"/shop?{query}"), "/robots.txt": text("")})
    assert run_crawl(site).left_out == {f"/shop?{query}": "trap"}


def test_long_addresses_are_not_followed(open_site: OpenSite) -> None:
    site = open_site({"/": page("/" + "x" * 3000), "/robots.txt": text("")})
    assert run_crawl(site).fetched == ["/"]
    assert site.requests_for_pages() == ["/"]


def test_skipped_pages_count_against_the_requests(open_site: OpenSite) -> None:
    """Each page leads to another that is never kept."""
    noindex = '<meta name="robots" content="noindex">'
    site = open_site({"/robots.txt": text("")})
    site.make = lambda path: page(f"{path}x", title=path, head=noindex)
    crawled = run_crawl(site, rules=CrawlRules(max_pages=10, max_depth=1000))
    assert crawled.fetched == []
    assert len(site.requests) == 1 + 80  # robots.txt, and three times the limit and 50


def test_endless_body_fails_alone(open_site: OpenSite) -> None:
    site = open_site({"/": page("/endless", "/a", title="Home"), "/a": page(title="A")})
    site.pages["/endless"] = Page(pieces=endless)
    crawled = run_crawl(site)
    assert (crawled.fetched, crawled.left_out) == (["/", "/a"], {"/endless": "too_large"})
