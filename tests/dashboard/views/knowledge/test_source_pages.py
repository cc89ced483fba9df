"""A source's passages, pages, settings and file."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.chatbots.models import Chatbot
from apps.knowledge.models import Chunk, Document, Source
from apps.knowledge.queries import live_chunks
from tests.dashboard.page_client import page_path, shown_messages, table_cells, visible_text
from tests.factories import Team
from tests.knowledge.knowledge_factory import make_knowledge
from tests.knowledge.knowledge_rows import add_knowledge_rows


@pytest.fixture
def source(chatbot: Chatbot) -> Source:
    return make_knowledge(chatbot, text="Boots")


@pytest.fixture
def path(team: Team, source: Source) -> str:
    return page_path(team.workspace, f"knowledge/sources/{source.id}")


def test_passages_are_shown_in_pages_and_found_by_link(
    bob: Client, source: Source, path: str
) -> None:
    add_knowledge_rows(source, 30)
    html = bob.get(path).content.decode()
    assert html.count("<article") == 25
    text = visible_text(html)
    assert "Shop › Delivery" in text
    assert "5 tokens" in text
    assert 'href="?from=25"' in html
    last = list(live_chunks(source))[-1]
    html = bob.get(f"{path}?chunk={last.id}").content.decode()
    assert f'id="{last.id}"' in html
    assert html.count("<article") == 6
    gone = visible_text(bob.get(f"{path}?chunk={source.id}").content.decode())
    assert "The passage that you followed a link to is no longer in this source." in gone


def test_passage_is_edited_restored_and_switched_off(
    team: Team, bob: Client, source: Source, path: str
) -> None:
    chunk = live_chunks(source)[0]
    edit = page_path(team.workspace, f"knowledge/chunks/{chunk.id}/edit")

    def post(**fields: str) -> Chunk:
        response = bob.post(edit, fields)
        assert response["Location"] == f"{path}?chunk={chunk.id}#{chunk.id}"
        return live_chunks(source)[0]

    edited = post(text="Warm boots")
    assert (edited.text, edited.is_edited, edited.is_enabled) == ("Warm boots", True, True)
    assert "Restore the original" in bob.get(path).content.decode()
    assert post(enabled="no").is_enabled is False
    assert "Switch on" in bob.get(path).content.decode()
    assert post(enabled="yes").is_enabled is True
    restored = post(restore="yes")
    assert (restored.text, restored.is_edited) == ("Boots", False)
    response = bob.post(edit, {"text": " "}, follow=True)
    assert shown_messages(response)[-1].startswith("Not saved.")
    assert live_chunks(source)[0].text == "Boots"


def test_pages_of_a_site_are_filtered_by_status(bob: Client, source: Source, path: str) -> None:
    Source.objects.filter(id=source.id).update(type="crawl", url="https://example.com/")
    for number, status in enumerate(("skipped", "failed"), 1):
        Document.objects.create(
            workspace=source.workspace,
            generation_id=str(source.live_generation_id),
            position=number,
            url=f"https://example.com/{status}",
            status=status,
            reason=f"It is {status}.",
        )
    html = bob.get(f"{path}/pages").content.decode()
    assert [row[1] for row in table_cells(html)] == ["Ready", "Skipped", "Failed"]
    assert "All 3 Ready 1 Skipped 1 Failed 1" in visible_text(html)
    document = Document.objects.get(generation_id=str(source.live_generation_id), status="ready")
    assert f'href="{path}?document={document.id}"' in html
    add_knowledge_rows(source, 2)
    html = bob.get(f"{path}?document={document.id}").content.decode()
    assert ("Passages of Boots" in visible_text(html), html.count("<article")) == (True, 1)
    html = bob.get(f"{path}/pages?status=failed").content.decode()
    assert table_cells(html) == [["https://example.com/failed", "Failed", "It is failed.", ""]]


def test_settings_change_each_type(team: Team, bob: Client, source: Source, path: str) -> None:
    def save(source_type: str, **fields: str) -> Source:
        Source.objects.filter(id=source.id).update(type=source_type, status="ready")
        assert bob.get(f"{path}/settings").status_code == 200
        response = bob.post(f"{path}/settings", fields)
        assert response["Location"] == path
        return Source.objects.get(id=source.id)

    saved = save("file", title="Shoes")
    assert saved.title == "Shoes"
    saved = save("text", title="Shoes", text="Line 1\r\nLine 2")
    assert (saved.text, saved.status) == ("Line 1\nLine 2", "pending")
    saved = save("qna", questions="How long?\n\n How far? ", answer="A week.")
    assert (saved.questions, saved.text) == (["How long?", "How far?"], "A week.")
    Source.objects.filter(id=source.id).update(url="https://example.com/")
    saved = save(
        "crawl",
        title="Site",
        url="example.com/docs",
        refresh_every="daily",
        max_pages="20",
        include="/docs\n/help",
        exclude="",
    )
    assert (saved.url, saved.refresh_every) == ("https://example.com/docs", "daily")
    assert saved.rules == {"max_pages": 20, "include": ["/docs", "/help"]}
    for fields in ({"title": ""}, {"url": "ftp://example.com"}, {"max_pages": "0"}):
        valid = {"title": "Site", "url": "https://example.com/", "refresh_every": "never"}
        assert bob.post(f"{path}/settings", valid | fields).status_code == 422


def test_file_is_downloaded_and_never_shown(bob: Client, source: Source, path: str) -> None:
    source.file.name = 'Bö "x".html'
    source.file.save()
    response = bob.get(f"{path}/file")
    assert response["Content-Length"] == str(len(b"Boots"))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"] == (
        "attachment; filename*=utf-8''B%C3%B6%20%22x%22.html"
    )
    source.file.delete()
    assert bob.get(f"{path}/file").status_code == 404
