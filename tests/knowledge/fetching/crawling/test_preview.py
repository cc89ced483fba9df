"""What a crawl would visit, shown before it is started."""

from __future__ import annotations

from apps.knowledge.fetching.crawling.frontier import start_crawl, start_sitemap
from apps.knowledge.fetching.crawling.preview import Preview, preview
from apps.knowledge.fetching.types import CrawlRules
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.site import Page, Site, endless, page, sitemap, text


def preview_of(site: Site, rules: CrawlRules | None = None, max_urls: int = 50) -> Preview:
    return preview(
        start_crawl(site.url),
        rules=rules or CrawlRules(),
        options=options(),
        seconds=20,
        max_urls=max_urls,
    )


def test_small_site_is_shown_whole(open_site: OpenSite) -> None:
    site = open_site(
        {
            "/": page("/a", "/b", "/secret", "/broken", title="Home"),
            "/a": page(title="A"),
            "/b": page("/c", title="B"),
            "/broken": Page(status=403),
            "/c": page(title="C"),
            "/robots.txt": text("User-agent: *\nDisallow: /secret"),
        }
    )
    shown = preview_of(site, CrawlRules(exclude=("/b",)))
    assert shown.urls == (f"{site.url}/", f"{site.url}/a")
    assert {each.url.removeprefix(site.url): each.code for each in shown.left_out} == {
        "/b": "excluded",
        "/secret": "robots",
        "/broken": "http_403",
    }
    assert (shown.is_partial, shown.problem) == (False, "")


def test_large_site_is_shown_in_part(open_site: OpenSite) -> None:
    paths = [f"/p{n}" for n in range(300)]
    site = open_site(
        {
            "/": page(title="Home"),
            "/sitemap.xml": sitemap(*paths),
            "/robots.txt": text("User-agent: *\nDisallow: /p7$"),
        }
    )
    shown = preview_of(site, max_urls=20)
    assert shown.urls[:3] == (f"{site.url}/", f"{site.url}/p0", f"{site.url}/p1")
    assert len(shown.urls) == 20
    assert [each.code for each in shown.left_out] == ["robots"]
    assert (shown.found, shown.is_partial) == (300, True)
    assert site.requests_for_pages() == ["/"]  # the pages themselves are not fetched yet


def test_preview_says_why_there_is_nothing(open_site: OpenSite) -> None:
    for home in (Page(status=403), Page(pieces=endless)):
        site = open_site({"/": home})
        shown = preview_of(site)
        assert shown.urls == ()
        assert shown.problem.startswith("No page could be read. ")


def test_preview_of_a_sitemap(open_site: OpenSite) -> None:
    site = open_site({"/map.xml": sitemap("/a", "/b")})
    frontier = start_sitemap(f"{site.url}/map.xml")
    shown = preview(frontier, rules=CrawlRules(), options=options(), seconds=20, max_urls=2)
    assert shown.urls == (f"{site.url}/a", f"{site.url}/b")


def test_preview_says_that_the_site_does_not_answer(open_site: OpenSite) -> None:
    shown = preview_of(open_site({"/": Page(status=503)}))
    assert (shown.urls, shown.is_partial) == ((), True)
    assert "503" in shown.problem
