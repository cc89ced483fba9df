"""Adding web pages, sites, texts and answers, with a preview of a site."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.knowledge.models import KnowledgeBase, Source
from tests.dashboard.page_client import page_path, shown_messages, visible_text
from tests.factories import Team
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.knowledge.site import Site, page, text


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    return make_knowledge_base(team.workspace)


@pytest.fixture
def path(team: Team, base: KnowledgeBase) -> str:
    return page_path(team.workspace, f"knowledge/{base.id}/add")


WEB = {"type": "crawl", "url": "https://example.com/docs", "refresh_every": "weekly"}


def test_site_is_added_with_its_rules(bob: Client, base: KnowledgeBase, path: str) -> None:
    fields = {**WEB, "max_pages": "30", "max_depth": "2", "exclude": "/old\r\n/old\r\n"}
    response = bob.post(path, fields, follow=True)
    assert shown_messages(response) == [
        "https://example.com/docs added. Indexing goes on in the background."
    ]
    source = Source.objects.get(knowledge_base=base)
    assert (source.type, source.url, source.refresh_every, source.rules) == (
        *("crawl", "https://example.com/docs", "weekly"),
        {"max_pages": 30, "max_depth": 2, "exclude": ["/old"]},
    )


def test_invalid_sources_get_form_errors(bob: Client, path: str) -> None:
    def errors(kind: str, **fields: str) -> list[str]:
        response = bob.post(f"{path}?kind={kind}", fields)
        assert response.status_code == 422
        return list(response.context["form"].errors)

    assert errors("web", **WEB | {"url": "ftp://example.com"}) == ["url"]
    assert errors("web", **WEB | {"max_pages": "0"}) == ["max_pages"]
    patterns = "\n".join(f"/{number}" for number in range(51))
    assert errors("web", **WEB | {"include": patterns}) == ["include"]
    assert errors("text", title="", text="Boots") == ["title"]
    assert errors("text", title="Boots", text=" ") == ["text"]
    assert errors("qna", questions="\n", answer="A week.") == ["questions"]
    assert errors("qna", questions="x\n" * 2 + "y" * 1001, answer="A week.") == ["questions"]
    assert not Source.objects.filter(title="Boots").exists()


def test_text_and_answer_are_added(bob: Client, base: KnowledgeBase, path: str) -> None:
    bob.post(f"{path}?kind=text", {"title": "Boots", "text": "# Warm"})
    bob.post(f"{path}?kind=qna", {"questions": "How long?\nHow far?", "answer": "A week."})
    found = Source.objects.filter(knowledge_base=base).order_by("created_at", "id")
    assert [(each.type, each.title, each.questions, each.text) for each in found] == [
        ("text", "Boots", [], "# Warm"),
        ("qna", "How long?", ["How long?", "How far?"], "A week."),
    ]
    html = bob.get(f"{path}?kind=qna&question=How+much%3F").content.decode()
    assert ">\nHow much?</textarea>" in html


def test_preview_shows_pages_and_reasons_and_adds_nothing(
    bob: Client, base: KnowledgeBase, path: str
) -> None:
    pages = {
        "/": page("/a", "/private", title="Home"),
        "/a": page(title="A"),
        "/private": page(title="Private"),
        "/robots.txt": text("User-agent: *\nDisallow: /private"),
    }
    with Site(pages) as site:
        fields = {**WEB, "url": f"{site.url}/", "preview": "yes"}
        html = bob.post(path, fields, headers={"hx-request": "true"}).content.decode()
        shown = visible_text(html)
        assert "<html" not in html
        assert "2 pages would be fetched" in shown
        assert f"{site.url}/a" in shown
        assert "forbids this address to ParleyBot" in shown
        whole = visible_text(bob.post(path, fields).content.decode())
        assert "2 pages would be fetched" in whole
        wrong = bob.post(path, fields | {"url": ""}, headers={"hx-request": "true"})
        assert "Address: This field is required." in visible_text(wrong.content.decode())
        broken = bob.post(path, fields | {"url": f"{site.url}/nothing"})
        assert "No page would be fetched" in visible_text(broken.content.decode())
    assert not Source.objects.filter(knowledge_base=base).exists()
