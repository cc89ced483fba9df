"""Pages, sitemaps and sites become documents, each with chunks or with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.knowledge.models import Generation, KnowledgeBase, SourceType
from apps.knowledge.pipeline.claiming import claim_source
from apps.knowledge.queries import documents_of, live_chunks
from apps.knowledge.services.sources import add_web_source
from tests.knowledge.fetching.conftest import OpenSite
from tests.knowledge.pipeline.web.web_sources import (
    add_site,
    assert_is_whole,
    index,
    live_text,
    reasons,
    run_once,
    statuses,
)
from tests.knowledge.site import NOT_FOUND, Page, Site, page, redirect, sitemap, text

UTF_16 = "<!doctype html><title>Größen</title><h1>Größen</h1><p>Es gibt Größe 36.".encode("utf-16")


def shop(open_site: OpenSite) -> Site:
    """Twelve addresses: one is behind 403, one redirects, two are forbidden by robots.txt."""
    return open_site(
        {
            "/robots.txt": text("User-agent: *\nDisallow: /cart\nDisallow: /login\n"),
            "/": page("/returns", "/moved", "/staff", "/cart", "/login", "/gone", title="Shop"),
            "/returns": page("/prices.csv", title="Returns", text="Send it back within 30 days."),
            "/moved": redirect("/sizes"),
            "/sizes": Page(UTF_16, content_type="text/html; charset=utf-16"),
            "/staff": Page(b"Forbidden", 403),
            "/prices.csv": text("article,price\nboots,120\nscarf,15\n", "text/csv"),
            "/gone": NOT_FOUND,
        }
    )


def test_site_is_indexed_with_a_document_for_each_address(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    site = shop(open_site)
    source = index(add_site(base, site))
    assert source.status == "ready"
    assert statuses(source, site) == {
        "/": "ready",
        "/returns": "ready",
        "/sizes": "ready",
        "/prices.csv": "ready",
        "/staff": "failed",
        "/gone": "failed",
        "/cart": "skipped",
        "/login": "skipped",
    }
    assert source.status_reason == "2 pages could not be read, 2 addresses were left out."
    assert reasons(source, site)["/staff"].startswith(
        "The site answered 403 (Forbidden) to our user agent ParleyBot."
    )
    assert "robots.txt forbids" in reasons(source, site)["/cart"]
    titles = documents_of(source).filter(status="ready").values_list("title", flat=True)
    assert {"Shop", "Returns", "Größen"} < set(titles)
    assert [part in live_text(source) for part in ("30 days", "boots", "Größe 36")] == [True] * 3
    assert source.progress_done == source.progress_total == source.chunks
    assert source.refreshed_at is not None
    assert_is_whole(source)


def test_page_has_the_address_that_it_redirects_to(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    site = shop(open_site)
    source = index(add_site(base, site, "/moved", SourceType.PAGE))
    assert (source.status, source.status_reason) == ("ready", "")
    assert statuses(source, site) == {"/sizes": "ready"}
    assert {chunk.document.title for chunk in live_chunks(source)} == {"Größen"}
    assert site.requests_for_pages() == ["/moved", "/sizes"]


def test_sitemap_is_read_without_following_links(base: KnowledgeBase, open_site: OpenSite) -> None:
    site = shop(open_site)
    site.pages["/sitemap.xml"] = sitemap(f"{site.url}/returns", f"{site.url}/cart")
    source = index(add_site(base, site, "/sitemap.xml", SourceType.SITEMAP))
    assert statuses(source, site) == {"/returns": "ready", "/cart": "skipped"}
    assert source.status_reason == "1 address was left out."


def test_crawl_keeps_to_its_rules(base: KnowledgeBase, open_site: OpenSite) -> None:
    site = shop(open_site)
    rules = {"max_pages": 2, "include": ["/", "/returns", "/moved"], "exclude": ["/staff"]}
    source = index(add_site(base, site, rules=rules))
    found = statuses(source, site)
    assert list(found.values()).count("ready") == 2
    assert found["/staff"] == "skipped"
    assert source.status_reason.startswith("The limit of 2 pages is reached")


UNREADABLE: dict[str, tuple[str, Page, str]] = {
    "forbidden": ("page", Page(b"No", 403), "The site answered 403 (Forbidden) to our user agent"),
    "absent": ("page", NOT_FOUND, "The site answered 404 (Not Found): there is no page"),
    "noindex": (
        "page",
        page(head='<meta name="robots" content="noindex">'),
        "The page asks robots not to keep it (noindex).",
    ),
    "script only": (
        "page",
        Page(b"<!doctype html><html><body><div id=root></div><script>x()</script></body></html>"),
        "The page has no text. It may build its content with JavaScript",
    ),
    "image": (
        "page",
        Page(b"\x89PNG", content_type="image/png"),
        "The address has an image (image/png), which has no text to read.",
    ),
    "no sitemap": ("sitemap", page(), "No page could be read. {url}: This address has a web page"),
    "forbidden site": (
        "crawl",
        Page(b"No", 403),
        "No page could be read. {url}: The site answered",
    ),
    "other site's pages": (
        "sitemap",
        sitemap("https://other.example/"),
        "No page could be read: the sitemap lists no pages of its own site.",
    ),
    "strange type": (
        "page",
        Page(b"x", content_type="x/\xff"),
        "The address has a file of the type x/",
    ),
}


@pytest.mark.parametrize(
    ("source_type", "served", "reason"), UNREADABLE.values(), ids=list(UNREADABLE)
)
def test_source_without_a_readable_page_says_why(
    base: KnowledgeBase, open_site: OpenSite, source_type: str, served: Page, reason: str
) -> None:
    site = open_site({"/a": served})
    source = index(add_site(base, site, "/a", SourceType(source_type)))
    assert source.status == "failed"
    assert source.status_reason.startswith(reason.format(url=f"{site.url}/a"))
    assert (source.due_at, source.chunks) == (None, 0)
    assert Generation.objects.get(source=source).finished_at is not None


def test_page_that_robots_forbid_says_so(base: KnowledgeBase, open_site: OpenSite) -> None:
    site = shop(open_site)
    source = index(add_site(base, site, "/cart", SourceType.PAGE))
    assert source.status_reason == "The site's robots.txt forbids this address to ParleyBot."


def test_address_that_is_none_says_so(base: KnowledgeBase) -> None:
    source = add_web_source(
        base=base, source_type=SourceType.PAGE, url="ftp://a.example/", actor=SYSTEM
    )
    assert index(source).status_reason.startswith("Give the address of a page")


def test_crawl_goes_on_where_another_worker_stopped(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    paths = [f"/p{number}" for number in range(20)]
    site = open_site({"/": page(*paths), **{path: page(title=f"Page {path}") for path in paths}})
    source = add_site(base, site)
    run_once(source, seconds=0.0)
    assert source.status == "fetching"
    assert (source.claimed_until, source.attempts) == (None, 0)
    assert 0 < source.progress_done < 21
    assert source.progress_total == 21
    index(source, seconds=0.0)
    assert source.status == "ready"
    assert sorted(site.requests_for_pages()) == sorted(["/", *paths])
    assert documents_of(source).count() == 21
    assert Generation.objects.filter(source=source).count() == 1
    assert_is_whole(source)


def test_source_is_released_while_its_site_is_down(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    site = open_site({"/": Page(b"", 503)})
    source = add_site(base, site)
    run_once(source)
    assert (source.status, source.claimed_until, source.attempts) == ("fetching", None, 0)
    assert source.status_reason.startswith("Waiting for the site. The site answered 503")
    assert source.due_at is not None
    assert source.due_at > timezone.now() + timedelta(seconds=5)
    assert claim_source() is None
    site.pages["/"] = page(title="Back")
    assert (index(source).status, source.chunks) == ("ready", 1)
    assert "JavaScript" in source.status_reason  # only the first page was found


def test_source_is_released_while_its_site_wants_a_pause(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    robots = text("User-agent: *\nCrawl-delay: 8\n")
    site = open_site({"/robots.txt": robots, "/": page("/a", title="Home"), "/a": page(title="A")})
    source = add_site(base, site)
    run_once(source)
    assert (source.status, source.claimed_until, source.attempts) == ("fetching", None, 0)
    assert source.due_at is not None
    assert source.due_at > timezone.now() + timedelta(seconds=1)
    assert "/a" not in site.requests


def test_site_that_stays_down_fails_with_its_reason(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    site = open_site({"/": Page(b"", 503)})
    source = index(add_site(base, site, "/", SourceType.PAGE))
    assert source.status == "failed"
    assert source.status_reason.startswith("The site answered 503 (Service Unavailable)")
    assert site.requests_for_pages() == ["/"] * 3


def test_address_with_control_characters_is_shown_without(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    site = open_site(
        {"/": page("/a"), "/a": redirect("https://other.example/%00%0a%E2%80%AEgnp.exe")}
    )
    source = index(add_site(base, site))
    assert reasons(source, site) == {
        "/a": "It redirects to another site: https://other.example/gnp.exe"
    }
