"""Crawls: what is visited in which order, what is left out and why."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from apps.knowledge.fetching.crawling.crawl import crawl
from apps.knowledge.fetching.crawling.frontier import start_crawl
from apps.knowledge.fetching.crawling.outcomes import PageFetched
from apps.knowledge.fetching.host_turns import turn_at
from apps.knowledge.fetching.types import CrawlRules
from apps.knowledge.fetching.urls import host_of
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.fetching.crawling.crawls import run_crawl
from tests.knowledge.site import Page, Site, page, redirect, sitemap, text

RULES = CrawlRules()


def shop(open_site: OpenSite) -> Site:
    """Twenty pages: one behind 403, one that redirects, two that robots.txt forbids."""
    site = open_site()
    paths = [f"/p{n}" for n in range(1, 20)]
    site.pages = {
        "/": page(*paths, title="Shop"),
        **{path: page("/", title=f"Product {path}") for path in paths},
        "/p3": Page(status=403),
        "/p4": redirect("/p5"),
        "/robots.txt": text("User-agent: *\nDisallow: /p6\nDisallow: /p7$"),
    }
    return site


def test_whole_site_is_crawled(open_site: OpenSite) -> None:
    crawled = run_crawl(shop(open_site))
    assert crawled.fetched == ["/", "/p1", "/p2", *(f"/p{n}" for n in (5, *range(8, 20)))]
    assert crawled.left_out == {
        "/p3": "http_403",
        "/p4": "duplicate",
        "/p6": "robots",
        "/p7": "robots",
    }
    assert crawled.reasons["/p4"].endswith("/p5, which is visited on its own.")
    end = crawled.end
    assert end is not None
    assert (end.fetched, end.skipped, end.failed, end.left) == (16, 3, 1, 0)
    assert (end.is_complete, end.note) == (True, "")


def test_progress_is_told(open_site: OpenSite) -> None:
    crawled = run_crawl(shop(open_site))
    progress = [(step.done, step.total) for step in crawled.steps]
    assert progress[0] == (1, 20)
    assert progress[-1] == (20, 20)
    assert progress == sorted(progress)


def test_breadth_first_to_the_depth(open_site: OpenSite) -> None:
    site = open_site(
        {
            "/": page("/a", "/b", title="Home"),
            "/a": page("/a/a", title="A"),
            "/b": page("/b/b", title="B"),
            "/a/a": page("/a/a/a", title="AA"),
            "/b/b": page(title="BB"),
        }
    )
    crawled = run_crawl(site, rules=replace(RULES, max_depth=2))
    assert crawled.fetched == ["/", "/a", "/b", "/a/a", "/b/b"]
    assert crawled.left_out == {"/a/a/a": "too_deep"}
    depths = [each.depth for each in crawled.outcomes if isinstance(each, PageFetched)]
    assert depths == [0, 1, 1, 2, 2]


def test_other_sites_and_files_without_text_are_left_alone(open_site: OpenSite) -> None:
    other = open_site({"/": page()})
    site = open_site({"/moved": redirect(f"{other.url}/")})
    site.pages["/"] = page(other.url, "/logo.png", "/x.zip", "mailto:a@b.c", "/moved", "/a.pdf")
    site.pages["/a.pdf"] = Page(b"%PDF-1.7", content_type="application/pdf")
    site.pages["/robots.txt"] = text("")
    crawled = run_crawl(site)
    assert crawled.fetched == ["/", "/a.pdf"]
    assert crawled.left_out == {"/moved": "other_site"}
    assert other.requests == []


def test_first_page_may_redirect_to_its_real_site(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a", title="New"), "/a": page(title="A")})
    old = open_site({"/": redirect(f"{site.url}/")})
    crawled = run_crawl(site, frontier=start_crawl(old.url))
    assert crawled.fetched == ["/", "/a"]


@pytest.mark.parametrize(
    ("include", "exclude", "fetched"),
    [
        ((), ("/blog",), ["/", "/blog-old", "/docs/a"]),
        (("/blog",), (), ["/blog", "/blog/a", "/blog/cat/b"]),
        (("/blog",), ("/blog/cat",), ["/blog", "/blog/a"]),
        (("/blog*",), (), ["/blog", "/blog-old", "/blog/a", "/blog/cat/b"]),
        (("*/a",), (), ["/blog/a", "/docs/a"]),
        (("https://any.example/docs/*",), (), ["/docs/a"]),
        ((), ("*",), []),
    ],
)
def test_patterns_include_and_exclude(
    open_site: OpenSite, include: tuple[str, ...], exclude: tuple[str, ...], fetched: list[str]
) -> None:
    """The first page's links are read even if it does not belong to the crawl itself."""
    paths = ["/blog", "/blog-old", "/blog/a", "/blog/cat/b", "/docs/a"]
    site = open_site({path: page(title=path) for path in paths})
    site.pages |= {"/": page(*paths, title="Home"), "/robots.txt": text("")}
    crawled = run_crawl(site, rules=CrawlRules(include=include, exclude=exclude))
    assert crawled.fetched == fetched
    assert sorted(crawled.fetched + list(crawled.left_out)) == sorted(["/", *paths])
    requested = {path for path in site.requests_for_pages() if path != "/"}
    assert requested == set(fetched) - {"/"}


def test_noindex_and_nofollow_are_honoured(open_site: OpenSite) -> None:
    noindex = '<meta name="robots" content="noindex">'
    site = open_site(
        {
            "/": page("/hidden", "/dead-end", title="Home"),
            "/hidden": page("/a", title="Hidden", head=noindex),
            "/a": page(title="A"),
            "/dead-end": page("/b", title="End", headers={"X-Robots-Tag": "nofollow"}),
            "/b": page(title="B"),
        }
    )
    crawled = run_crawl(site)
    assert crawled.fetched == ["/", "/dead-end", "/a"]
    assert crawled.left_out == {"/hidden": "noindex"}


# Duplicates.


def test_addresses_of_one_page_are_visited_once(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a?x=1&y=2", "/a?y=2&x=1", "/a?x=1&y=2&utm_source=z#top")})
    site.pages["/a?x=1&y=2"] = page(title="A")
    assert run_crawl(site).fetched == ["/", "/a?x=1&y=2"]
    assert site.requests_for_pages() == ["/", "/a?x=1&y=2"]


def test_same_content_is_kept_once(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a", "/b"), "/a": page(title="A"), "/b": page(title="A")})
    crawled = run_crawl(site)
    assert crawled.fetched == ["/", "/a"]
    assert crawled.reasons == {"/b": f"It has the same content as {site.url}/a"}


def canonical(path: str) -> str:
    return f'<link rel="canonical" href="{path}">'


def test_canonical_address_is_kept(open_site: OpenSite) -> None:
    site = open_site(
        {
            "/": page("/a?sort=up", "/a?sort=down", title="Home"),
            "/a?sort=up": page(title="Up", head=canonical("/a")),
            "/a?sort=down": page(title="Down", head=canonical("/a")),
            "/a": page(title="A", head=canonical("/a")),
        }
    )
    crawled = run_crawl(site)
    assert crawled.fetched == ["/", "/a"]
    assert crawled.left_out == {"/a?sort=up": "duplicate", "/a?sort=down": "duplicate"}


@pytest.mark.parametrize(
    "target",
    [
        Page(status=404),
        Page(status=403),
        page(head='<meta name="robots" content="noindex">'),
        page(title="There", head=canonical("/here")),
    ],
    ids=["absent", "forbidden", "noindex", "points back"],
)
def test_page_is_kept_if_its_canonical_address_is_useless(
    open_site: OpenSite, target: Page
) -> None:
    site = open_site({"/": page("/here", title="Home"), "/there": target})
    site.pages["/here"] = page(title="Here", head=canonical("/there"))
    fetched = run_crawl(site).fetched
    assert len([path for path in fetched if path in ("/here", "/there")]) == 1


def test_home_page_is_not_the_canonical_address_of_all_pages(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a", "/b", title="Home", head=canonical("/"))})
    site.pages |= {f"/{n}": page(title=n, head=canonical("/")) for n in "ab"}
    assert run_crawl(site).fetched == ["/", "/a", "/b"]


# Sitemaps.


def test_sitemap_of_robots_is_crawled(open_site: OpenSite) -> None:
    site = open_site(make=lambda path: page(title=path))
    site.pages |= {
        "/": page(title="Home"),
        "/robots.txt": text("Sitemap: /maps/all.xml"),
        "/maps/all.xml": sitemap("/a", "/private/b", "https://other.example/c"),
    }
    crawled = run_crawl(site, rules=replace(RULES, exclude=("/private",)))
    assert crawled.fetched == ["/", "/a"]
    assert crawled.left_out == {"/private/b": "excluded"}


def test_usual_sitemap_is_looked_for(open_site: OpenSite) -> None:
    site = open_site({"/": page(title="Home"), "/a": page(title="A")})
    site.pages["/sitemap.xml"] = sitemap("/a")
    assert run_crawl(site).fetched == ["/", "/a"]


def test_damaged_sitemap_is_told_and_the_crawl_goes_on(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a", title="Home"), "/a": page(title="A")})
    site.pages["/sitemap.xml"] = page()
    assert run_crawl(site).reasons == {}  # nobody said that there was one
    site = open_site({**site.pages, "/robots.txt": text("Sitemap: /sitemap.xml")})
    crawled = run_crawl(site)
    assert crawled.fetched == ["/", "/a"]
    assert crawled.reasons == {
        "/sitemap.xml": "The sitemap could not be used. This address has a web page, not a sitemap."
    }


# What an owner is told when there is little or nothing.


@pytest.mark.parametrize(
    ("home", "note"),
    [
        (Page(status=403), "/: The site answered 403 (Forbidden) to our user agent ParleyBot."),
        (Page(status=404), "/: The site answered 404 (Not Found)"),
        (page(head='<meta name="robots" content="none">'), "/: The page asks robots not to keep"),
        (Page(b""), "/: The site answered with an empty page."),
    ],
)
def test_crawl_without_pages_says_why(open_site: OpenSite, home: Page, note: str) -> None:
    site = open_site({"/": home})
    crawled = run_crawl(site)
    assert crawled.fetched == []
    assert crawled.note.startswith(f"No page could be read. {site.url}{note}")


def test_site_that_robots_forbid_says_so(open_site: OpenSite) -> None:
    site = open_site({"/": page(), "/robots.txt": text("User-agent: *\nDisallow: /")})
    assert "robots.txt forbids this address" in run_crawl(site).note


def test_page_without_links_says_so(open_site: OpenSite) -> None:
    site = open_site({"/": page(title="App")})
    assert "Links that a browser makes by JavaScript are not seen" in run_crawl(site).note


def test_crawl_waits_for_its_turn_and_loses_nothing(open_site: OpenSite) -> None:
    site = open_site({"/": page("/a", title="Home"), "/a": page(title="A")})
    frontier = start_crawl(site.url)
    another, impatient = options(visitor="another"), options(patience_seconds=0.0)
    with (
        ThreadPoolExecutor(1) as worker,
        turn_at(host_of(frontier.start), another, interval_seconds=0.0),
    ):
        steps = crawl(frontier, rules=RULES, options=impatient)
        (step,) = worker.submit(list, steps).result()
    assert (step.wait_seconds > 0, step.outcomes, step.ended) == (True, (), None)
    assert run_crawl(site, frontier=frontier).fetched == ["/", "/a"]
