"""Web pages, sitemaps and sites as sources over REST, and changes of sources."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.ids import new_id
from apps.knowledge.models import Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.services.web import PREVIEWS_PER_MINUTE
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot
from tests.knowledge.api.api_helpers import add, add_text
from tests.knowledge.knowledge_factory import make_knowledge
from tests.knowledge.site import Page, Site, page, sitemap, text

URL = "https://shop.example/help"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site().start()
    yield site
    site.stop()


def test_web_sources_are_added_with_their_rules(api: Api, base: dict[str, Any]) -> None:
    page = add(api, base, type="page", url="HTTPS://Shop.Example:443/help#top")
    listed = add(api, base, type="sitemap", url=f"{URL}/map.xml", maxPages=20, refreshEvery="daily")
    rules = {"maxPages": 5.0, "maxDepth": 0, "include": ["/help"], "exclude": ["/help/old", "*?p="]}
    crawled = add(api, base, type="crawl", url=URL, title="Help", **rules)
    fields = ("url", "title", "maxPages", "maxDepth", "include", "exclude", "refreshEvery")
    assert [[each[name] for name in fields] for each in (page, listed, crawled)] == [
        [URL, URL, None, None, [], [], "never"],
        [f"{URL}/map.xml", f"{URL}/map.xml", 20, None, [], [], "daily"],
        [URL, "Help", 5, 0, ["/help"], ["/help/old", "*?p="], "never"],
    ]
    stored = Source.objects.get(id=crawled["id"])
    assert stored.rules == {
        "max_pages": 5,
        "max_depth": 0,
        "include": ["/help"],
        "exclude": ["/help/old", "*?p="],
    }


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://shop.example/", "Give the address of a page, which begins with https://"),
        ("shop.example", "Give the address of a page, which begins with https://"),
        ("https://", "Give the address of a page, which begins with https://"),
        (
            "https://me:secret@shop.example/",
            "An address with a user name or password is not taken.",
        ),
        ("https://shop.example:port/", "This is not an address."),
        ("https://shop.example/" + "x" * 2000, None),
        ("https://shop.example/" + "ä" * 900, "The address is longer than 2,000 characters."),
        ("", None),
    ],
)
def test_invalid_address_is_refused(
    api: Api, base: dict[str, Any], url: str, message: str | None
) -> None:
    paths = {"sources": {"type": "page"}, "crawl-preview": {"type": "crawl"}}
    for path, body in paths.items():
        body = {**body, "url": url}
        refused = api("POST", f"/knowledge-bases/{base['id']}/{path}", body, status=400)
        ((_, messages),) = refused["details"].items()
        assert message in (None, *messages)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "page", "maxPages": 5}, "maxPages"),
        ({"type": "sitemap", "maxDepth": 5}, "maxDepth"),
        ({"type": "crawl", "maxPages": 0}, "maxPages"),
        ({"type": "crawl", "maxPages": 10_001}, "maxPages"),
        ({"type": "crawl", "maxDepth": -1}, "maxDepth"),
        ({"type": "crawl", "include": [""]}, "include"),
        ({"type": "crawl", "exclude": ["/x"] * 51}, "exclude"),
        ({"type": "crawl", "refreshEvery": "hourly"}, "refreshEvery"),
        ({"type": "page", "text": "x"}, "text"),
    ],
    ids=str,
)
def test_invalid_rule_is_refused(
    api: Api, base: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    path = f"/knowledge-bases/{base['id']}/sources"
    refused = api("POST", path, {**body, "url": URL}, status=400)
    assert [name for name in refused["details"] if field in name]
    assert Source.objects.filter(knowledge_base_id=base["id"]).count() == 0


def preview(api: Api, base: dict[str, Any], status: int = 200, **body: Any) -> dict[str, Any]:
    return api("POST", f"/knowledge-bases/{base['id']}/crawl-preview", body, status=status)


def test_crawl_is_previewed(api: Api, base: dict[str, Any], site: Site) -> None:
    site.pages |= {
        "/": page("/a", "/b", "/old", "/secret"),
        "/a": page("/a/1", title="A"),
        "/a/1": page(title="A 1"),
        "/b": page(title="B"),
        "/robots.txt": text("User-agent: *\nDisallow: /secret"),
    }
    shown = preview(api, base, type="crawl", url=site.url, exclude=["/old"])
    assert [url.removeprefix(site.url) for url in shown["urls"]] == ["/", "/a", "/b", "/a/1"]
    left_out = {each["url"].removeprefix(site.url): each["reason"] for each in shown["leftOut"]}
    assert left_out["/secret"] == "The site's robots.txt forbids this address to ParleyBot."
    assert "/old" in left_out
    assert Source.objects.filter(knowledge_base_id=base["id"]).count() == 0


def test_sitemap_is_previewed(api: Api, base: dict[str, Any], site: Site) -> None:
    urls = [f"{site.url}/{number}" for number in range(3)]
    site.pages |= {f"/{number}": page(title=f"Page {number}") for number in range(3)}
    site.pages["/map.xml"] = sitemap(*urls)
    shown = preview(api, base, type="sitemap", url=f"{site.url}/map.xml", maxPages=2)
    assert shown["urls"] == urls[:2]


def test_preview_says_why_there_is_nothing(api: Api, base: dict[str, Any], site: Site) -> None:
    site.pages["/"] = Page(status=403)
    shown = preview(api, base, type="crawl", url=site.url)
    assert (shown["urls"], shown["found"]) == ([], 0)
    assert "403" in shown["problem"]


def test_previews_of_a_workspace_are_limited(api: Api, base: dict[str, Any], site: Site) -> None:
    site.pages["/"] = page()
    for _ in range(PREVIEWS_PER_MINUTE):
        preview(api, base, type="crawl", url=site.url)
    refused = preview(api, base, status=429, type="crawl", url=site.url)
    assert refused["code"] == "RATE_LIMIT_EXCEEDED"
    assert "previews" in refused["error"]


def test_text_is_changed_and_indexed_again(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    index_sources(max_seconds=60)
    path = f"/sources/{source['id']}"
    changed = api("PATCH", path, {"title": "Delivery", "text": "We ship daily."})
    assert (changed["title"], changed["text"], changed["status"]) == (
        "Delivery",
        "We ship daily.",
        "pending",
    )
    index_sources(max_seconds=60)
    (chunk,) = api("GET", f"{path}/chunks")["chunks"]
    assert (chunk["text"], chunk["headingPath"]) == ("We ship daily.", ["Delivery"])
    assert api("PATCH", path, {"text": "We ship daily."})["status"] == "ready"


def test_question_and_answer_are_changed(api: Api, base: dict[str, Any]) -> None:
    source = add(api, base, type="qna", questions=["May I return it?"], answer="Yes.")
    path = f"/sources/{source['id']}"
    body = {"questions": ["Can I return it?", "How?"], "answer": "Within 30 days."}
    changed = api("PATCH", path, body)
    assert {name: changed[name] for name in (*body, "title", "text")} == {
        **body,
        "title": "Can I return it?",
        "text": None,
    }
    assert api("GET", path) == changed
    api("PATCH", path, {"title": "Returns"})
    assert api("PATCH", path, {"questions": ["How?"]})["title"] == "Returns"


def test_site_is_changed(api: Api, base: dict[str, Any]) -> None:
    source = add(api, base, type="crawl", url=URL, maxPages=5, exclude=["/old"])
    Source.objects.filter(id=source["id"]).update(status="ready", due_at=None)
    path = f"/sources/{source['id']}"
    assert api("PATCH", path, {"title": "Help"})["status"] == "ready"
    changed = api("PATCH", path, {"maxPages": None, "include": ["/help"]})
    assert (changed["maxPages"], changed["include"], changed["exclude"], changed["status"]) == (
        None,
        ["/help"],
        ["/old"],
        "pending",
    )
    assert api("PATCH", path, {"url": f"{URL}#top"})["url"] == URL


def test_refreshing_begins_and_ends(api: Api, base: dict[str, Any]) -> None:
    source = add(api, base, type="page", url=URL)
    now = timezone.now()
    stored = Source.objects.filter(id=source["id"])
    stored.update(status="ready", refreshed_at=now, due_at=None)
    path = f"/sources/{source['id']}"
    assert api("PATCH", path, {"refreshEvery": "daily"})["refreshEvery"] == "daily"
    assert stored.get().due_at == now + timedelta(days=1)
    api("PATCH", path, {"refreshEvery": "never"})
    assert stored.get().due_at is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": "x", "url": URL}, "url"),
        ({"answer": "x"}, "answer"),
        ({"refreshEvery": "daily"}, "refreshEvery"),
        ({"maxPages": 5}, "maxPages"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"status": "ready"}, "status"),
    ],
    ids=str,
)
def test_field_of_another_type_is_refused(
    api: Api, base: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    refused = api("PATCH", f"/sources/{source['id']}", body, status=400)
    assert list(refused["details"]) == [field]
    assert api("GET", f"/sources/{source['id']}")["text"] == "We ship on Mondays."


def test_foreign_source_is_not_changed(api: Api, team: Team) -> None:
    theirs = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    for source_id in (theirs.id, new_id()):
        refused = api("PATCH", f"/sources/{source_id}", {"title": "Ours"}, status=404)
        assert refused["code"] == "SOURCE_NOT_FOUND"
    foreign = {"id": theirs.knowledge_base_id}
    assert preview(api, foreign, status=404, type="crawl", url=URL)["code"] == (
        "KNOWLEDGE_BASE_NOT_FOUND"
    )
