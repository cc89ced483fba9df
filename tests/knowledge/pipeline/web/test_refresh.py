"""A refresh reads only what has changed, and loses nothing because a site fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import EmbeddingModel
from apps.knowledge.fetching.crawling.pauses import MAX_FAILURES_IN_A_ROW
from apps.knowledge.models import Chunk, KnowledgeBase, Source, SourceType
from apps.knowledge.queries import documents_of, live_chunks
from apps.knowledge.services.sources import reindex_source, update_source
from tests.knowledge.fetching.conftest import OpenSite
from tests.knowledge.pipeline.web.web_sources import (
    add_site,
    assert_is_whole,
    index,
    live_text,
    make_due,
    reasons,
    statuses,
)
from tests.knowledge.site import Page, Site, page, redirect

DOWN = Page(b"", 503)


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    return open_site(
        {
            "/": page("/a", "/b", title="Home", text="Welcome.", etag='"home"'),
            "/a": page("/deep", title="A", text="We ship on Mondays.", etag='"a"'),
            "/b": page(title="B", text="Returns take 30 days."),
            "/deep": page(title="Deep", text="Boots cost 120.", etag='"deep"'),
        }
    )


def refresh(source: Source) -> Source:
    """Index it again, as the schedule and its owner do."""
    return index(reindex_source(source=source, actor=SYSTEM))


def break_embedding(base: KnowledgeBase) -> None:
    models = EmbeddingModel.objects.filter(id=base.embedding_model_id)
    models.update(provider_model="sandbox/embed-fail")


def mark_chunks(source: Source) -> None:
    """Write into the live chunks what no page says, so that copies can be told."""
    for chunk in live_chunks(source):
        Chunk.objects.filter(id=chunk.id).update(text=f"(copied) {chunk.text}")


def test_unchanged_pages_are_neither_parsed_nor_embedded(base: KnowledgeBase, site: Site) -> None:
    """Some answer 304, one is sent again with the same content."""
    source = index(add_site(base, site))
    mark_chunks(source)
    break_embedding(base)
    before = set(live_chunks(source).values_list("id", flat=True))
    source = refresh(source)
    assert (source.status, source.status_reason) == ("ready", "")
    assert live_text(source).count("(copied)") == source.chunks == len(before)
    assert not before & set(live_chunks(source).values_list("id", flat=True))
    assert site.headers["/a"]["if-none-match"] == '"a"'
    assert [each.depth for each in documents_of(source)] == [0, 1, 1, 2]
    assert_is_whole(source)
    assert live_text(refresh(source)).count("(copied)") == source.chunks  # the third time, too


def test_changed_page_is_read_again_alone(base: KnowledgeBase, site: Site) -> None:
    source = index(add_site(base, site))
    mark_chunks(source)
    site.pages["/a"] = page("/new", title="A", text="We ship daily.", etag='"a2"')
    site.pages["/new"] = page(title="New", text="A new page.")
    found = live_text(refresh(source))
    assert [part in found for part in ("We ship daily.", "A new page.")] == [True, True]
    assert "Mondays" not in found
    assert found.count("(copied)") == 3


def test_page_that_does_not_answer_is_kept(base: KnowledgeBase, site: Site) -> None:
    source = index(add_site(base, site))
    site.pages["/b"] = DOWN
    for _ in range(2):
        source = refresh(source)
        assert source.status == "ready"
        assert source.status_reason == "1 page did not answer and is kept as it was."
        assert "30 days" in live_text(source)
        assert statuses(source, site)["/b"] == "ready"
        assert reasons(source, site)["/b"].startswith("The site answered 503")
        assert reasons(source, site)["/b"].endswith("What was read before is kept.")
    site.pages["/b"] = page(title="B", text="Returns take 60 days.")
    source = refresh(source)
    assert (source.status_reason, reasons(source, site)) == ("", {})
    assert "60 days" in live_text(source)


@pytest.mark.parametrize("status", [404, 410])
def test_page_that_is_gone_is_dropped(base: KnowledgeBase, site: Site, status: int) -> None:
    source = index(add_site(base, site))
    site.pages["/b"] = Page(b"", status)
    source = refresh(source)
    assert "30 days" not in live_text(source)
    assert statuses(source, site)["/b"] == "failed"
    assert source.status_reason == "1 page could not be read."


@pytest.mark.parametrize("answer", [DOWN, Page(b"", 404)], ids=["down", "gone"])
def test_refresh_that_fails_leaves_what_is_live(
    base: KnowledgeBase, site: Site, answer: Page
) -> None:
    source = index(add_site(base, site, refresh_every="daily"))
    before, live = live_text(source), source.live_generation_id
    site.pages = dict.fromkeys(site.pages, answer)
    source = refresh(source)
    assert source.status == "failed"
    assert source.status_reason.startswith(f"No page could be read. {site.url}/: The site answered")
    assert (live_text(source), source.live_generation_id) == (before, live)
    assert source.due_at is not None
    assert timedelta(hours=23) < source.due_at - timezone.now() < timedelta(hours=25)


def test_pages_that_a_crawl_did_not_come_to_are_kept(
    base: KnowledgeBase, open_site: OpenSite
) -> None:
    """The site fails in the middle of a refresh until the crawl gives up."""
    paths = [f"/p{number:02}" for number in range(6 * MAX_FAILURES_IN_A_ROW)]
    site = open_site(
        {"/": page(*paths), **{path: page(title=path, text=f"Page {path}.") for path in paths}}
    )
    source = index(add_site(base, site))
    site.pages |= dict.fromkeys(paths[3:], DOWN)
    source = refresh(source)
    assert source.status == "ready"
    assert source.status_reason.startswith("The crawl ended early")
    assert [f"Page {path}." in live_text(source) for path in paths] == [True] * len(paths)
    assert "The crawl ended before it came to this page." in " ".join(
        reasons(source, site).values()
    )
    assert documents_of(source).count() == 1 + len(paths)


def test_single_page_is_asked_for_conditionally(base: KnowledgeBase, site: Site) -> None:
    site.pages["/moved"] = redirect("/a")
    source = index(add_site(base, site, "/moved", SourceType.PAGE))
    mark_chunks(source)
    source = refresh(source)
    assert live_text(source).count("(copied)") == source.chunks
    assert statuses(source, site) == {"/a": "ready"}
    site.pages["/moved"] = redirect("/b")
    assert "30 days" in live_text(refresh(source))
    site.pages["/b"] = Page(b"", 410)
    source = refresh(source)
    assert (source.status, source.status_reason) == (
        "failed",
        "The site answered 410 (Gone): the page was removed.",
    )
    assert "30 days" in live_text(source)


def test_other_address_forgets_the_earlier_pages(
    base: KnowledgeBase, site: Site, open_site: OpenSite
) -> None:
    other = open_site({"/": page(title="Other", text="Another shop.")})
    source = index(add_site(base, site))
    source = index(update_source(source=source, actor=SYSTEM, changes={"url": f"{other.url}/"}))
    assert statuses(source, other) == {"/": "ready"}
    assert "Mondays" not in live_text(source)


def test_source_is_refreshed_when_it_is_due(base: KnowledgeBase, site: Site) -> None:
    source = index(add_site(base, site, refresh_every="weekly"))
    assert source.due_at is not None
    assert timedelta(days=6) < source.due_at - timezone.now() < timedelta(days=8)
    site.pages["/b"] = page(title="B", text="Returns take 60 days.")
    make_due(source)  # as when the week is over
    source = index(source)
    assert "60 days" in live_text(source)
