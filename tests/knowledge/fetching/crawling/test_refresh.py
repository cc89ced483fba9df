"""A crawl that knows the pages of an earlier one, and one that goes on after a failure."""

from __future__ import annotations

import json

from apps.knowledge.fetching.crawling.crawl import crawl
from apps.knowledge.fetching.crawling.frontier import Frontier, start_crawl, start_sitemap
from apps.knowledge.fetching.crawling.outcomes import CrawlOutcome, PageFailed, PageFetched
from apps.knowledge.fetching.types import CrawlRules
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.fetching.crawling.crawls import run_crawl
from tests.knowledge.site import Page, Site, page, redirect, sitemap, sitemap_index, text

RULES = CrawlRules()


def three_pages(open_site: OpenSite) -> Site:
    return open_site(
        {
            "/": page("/a", "/b", title="Home", etag='"home"'),
            "/a": page("/c", title="A", etag='"a"'),
            "/b": page(title="B", etag='"b"'),
            "/c": page(title="C", etag='"c"'),
        }
    )


def test_unchanged_pages_are_kept_without_their_bodies(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    first = run_crawl(site)
    site.pages["/b"] = page(title="New B", etag='"b2"')
    second = run_crawl(site, known=first.known())
    assert sorted(second.fetched) == ["/", "/a", "/b", "/c"]
    changed = {
        second.path(each.url)
        for each in second.outcomes
        if isinstance(each, PageFetched) and not each.page.not_modified
    }
    assert changed == {"/b"}


def test_new_page_is_found_by_a_changed_page(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    known = run_crawl(site).known()
    site.pages |= {"/a": page("/c", "/new", title="A2", etag='"a2"'), "/new": page(title="New")}
    assert "/new" in run_crawl(site, known=known).fetched


def test_removed_page_is_told_as_gone(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    known = run_crawl(site).known()
    site.pages["/c"] = Page(status=410)
    crawled = run_crawl(site, known=known)
    (gone,) = [each for each in crawled.outcomes if isinstance(each, PageFailed)]
    assert (crawled.path(gone.url), gone.is_gone, gone.is_temporary) == ("/c", True, False)


def test_temporary_failure_is_told_as_such(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    known = run_crawl(site).known()
    site.pages["/c"] = Page(status=503)
    crawled = run_crawl(site, known=known)
    (failed,) = [each for each in crawled.outcomes if isinstance(each, PageFailed)]
    assert (failed.is_gone, failed.is_temporary) == (False, True)
    assert site.requests_for_pages().count("/c") == 1 + 3
    assert crawled.end is not None
    assert crawled.end.is_complete


def test_page_that_the_rules_now_exclude_is_not_requested(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    known = run_crawl(site).known()
    site.requests.clear()
    crawled = run_crawl(site, known=known, rules=CrawlRules(exclude=("/c",)))
    assert crawled.left_out == {"/c": "excluded"}
    assert "/c" not in site.requests


def test_first_page_that_redirects_to_a_known_page(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    site.pages |= {"/welcome": site.pages["/"], "/": redirect("/welcome")}
    first = run_crawl(site)
    assert sorted(first.fetched) == ["/a", "/b", "/c", "/welcome"]
    second = run_crawl(site, known=first.known())
    assert sorted(second.fetched) == ["/a", "/b", "/c", "/welcome"]


# Failures and recovery.


def test_page_is_tried_three_times(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a", "/b", title="Home"), "/b": page(title="B")})
    answers = iter([Page(status=502), Page(status=502), page(title="A")])
    site.make = lambda path: next(answers) if path == "/a" else Page(status=404)
    crawled = run_crawl(site)
    assert crawled.fetched == ["/", "/b", "/a"]
    assert crawled.waits == [60.0]  # before the last attempt there was nothing else to do


def test_site_that_is_away_is_left_alone_and_then_given_up(open_site: OpenSite) -> None:
    site = three_pages(open_site)
    known = run_crawl(site).known()
    site.pages = {path: Page(status=500) for path in site.pages}
    site.pages["/robots.txt"] = text("")
    crawled = run_crawl(site, known=known)
    assert crawled.fetched == []
    assert "The site answered 500" in crawled.note
    assert max(crawled.waits) >= 60.0
    assert len(site.requests_for_pages()) < 40


def test_site_that_is_away_for_a_moment_is_crawled(open_site: OpenSite) -> None:
    site = open_site({"/a": page(title="A"), "/robots.txt": text("")})
    answers = iter([Page(status=503), page("/a", title="Home")])
    site.make = lambda path: next(answers) if path == "/" else Page(status=404)
    crawled = run_crawl(site)
    assert (crawled.fetched, crawled.waits) == (["/", "/a"], [15.0])


def test_crawl_continues_from_what_was_stored(open_site: OpenSite) -> None:
    """A worker dies after each step: the stored frontier is behind by one."""
    site = three_pages(open_site)
    stored = start_crawl(site.url).to_json()
    outcomes: list[CrawlOutcome] = []
    for _ in range(100):
        frontier = Frontier.from_json(json.loads(json.dumps(stored)))
        lost = Frontier.from_json(json.loads(json.dumps(stored)))
        next(crawl(lost, rules=RULES, options=options()))
        step = next(crawl(frontier, rules=RULES, options=options()))
        outcomes += step.outcomes
        stored = frontier.to_json()
        if step.ended:
            break
    paths = [each.url.removeprefix(site.url) for each in outcomes]
    assert paths == ["/", "/a", "/b", "/c"]


# Sitemaps as sources.


def test_sitemap_is_crawled_without_following_links(open_site: OpenSite) -> None:
    site = open_site(
        {
            "/map.xml": sitemap_index("/one.xml", "/two.xml.gz", "/map.xml"),
            "/one.xml": sitemap("/a", "/b", "https://other.example/"),
            "/two.xml.gz": sitemap("/b", "/c", compressed=True),
            "/a": page("/z", title="A"),
            "/b": page(title="B"),
            "/c": Page(status=404),
        }
    )
    crawled = run_crawl(site, frontier=start_sitemap(f"{site.url}/map.xml"))
    assert crawled.fetched == ["/a", "/b"]
    assert crawled.left_out == {"/c": "http_404"}


def test_indexes_are_followed_three_levels_deep(open_site: OpenSite) -> None:
    site = open_site({f"/{n}.xml": sitemap_index(f"/{n + 1}.xml") for n in range(1, 6)})
    crawled = run_crawl(site, frontier=start_sitemap(f"{site.url}/1.xml"))
    assert crawled.fetched == []
    assert [path for path in site.requests if path.endswith(".xml")] == [
        *("/1.xml", "/2.xml", "/3.xml")
    ]


def test_address_without_a_sitemap_is_told(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a")})
    crawled = run_crawl(site, frontier=start_sitemap(site.url))
    assert crawled.note == (
        f"No page could be read. {site.url}/: This address has a web page, not a sitemap."
    )
    site.pages["/"] = Page(status=404)
    crawled = run_crawl(site, frontier=start_sitemap(site.url))
    assert "The site answered 404 (Not Found)" in crawled.note
