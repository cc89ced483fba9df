"""The sources of a knowledge base: listed, uploaded, indexed again, canceled and deleted."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client

from apps.chatbots.models import Chatbot
from apps.knowledge.models import Generation, KnowledgeBase, Source, SourceFile
from tests.dashboard.page_client import page_path, shown_messages, table_cells, visible_text
from tests.factories import Team
from tests.knowledge.knowledge_factory import make_knowledge, make_knowledge_base


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    return make_knowledge_base(team.workspace)


@pytest.fixture
def path(team: Team, base: KnowledgeBase) -> str:
    return page_path(team.workspace, f"knowledge/{base.id}")


def make_source(base: KnowledgeBase, **fields: object) -> Source:
    values = {"type": "page", "title": "Home", "due_at": None, **fields}
    return Source.objects.create(workspace=base.workspace, knowledge_base=base, **values)


def test_list_shows_status_progress_and_reason(bob: Client, base: KnowledgeBase, path: str) -> None:
    make_source(base, status="ready", type="text", chunks=1200)
    docs = make_source(
        base,
        title="Docs",
        url="https://example.com/docs",
        status="failed",
        status_reason="The site answered 403 to our user agent.",
        refresh_every="weekly",
    )
    live = Generation.objects.create(workspace=base.workspace, source=docs, finished_at=Now())
    Source.objects.filter(id=docs.id).update(live_generation_id=live.id)
    make_source(
        base, title="Blog", type="crawl", status="parsing", progress_done=3, progress_total=20
    )
    html = bob.get(path).content.decode()
    assert "No chatbot answers from it yet." in visible_text(html)
    assert table_cells(html) == [
        ["Blog", "Website", "Reading 3 3 of 20", "0", "", "Cancel Delete"],
        [
            (
                "Docs https://example.com/docs The site answered 403 to our user agent."
                " What was indexed before is still found."
            ),
            *("Web page", "Failed", "0", "Weekly", "Try again Delete"),
        ],
        ["Home", "Text", "Ready", "1,200", "", "Re-index Delete"],
    ]
    assert "every 2s" in html

    def titles(query: str) -> list[str]:
        rows = table_cells(bob.get(f"{path}?{query}").content.decode())
        return [row[0].split()[0] for row in rows]

    assert titles("status=failed") == ["Docs"]
    assert titles("status=indexing") == ["Blog"]
    assert titles("type=text&status=ready") == ["Home"]
    assert titles("search=example.com") == ["Docs"]
    assert titles("status=wrong") == ["Blog", "Docs", "Home"]
    assert "No matching sources" in bob.get(f"{path}?type=qna").content.decode()
    Source.objects.filter(title="Blog").update(status="ready")
    assert "every 2s" not in bob.get(path).content.decode()


def test_upload_reports_each_file(bob: Client, base: KnowledgeBase, path: str) -> None:
    files = [SimpleUploadedFile("a.txt", b"Boots"), SimpleUploadedFile("b.txt", b"")]
    response = bob.post(f"{path}/files", {"files": files}, follow=True)
    assert shown_messages(response) == [
        "b.txt: The file is empty.",
        "1 file added. Indexing goes on in the background.",
    ]
    file = SourceFile.objects.get(workspace=base.workspace)
    assert (file.name, bytes(file.body), file.source.knowledge_base) == ("a.txt", b"Boots", base)
    assert shown_messages(bob.post(f"{path}/files", follow=True)) == ["Choose a file."]

    def send(body: bytes) -> tuple[int, str | None]:
        fields = {"files": [SimpleUploadedFile("c.txt", body)]}
        response = bob.post(f"{path}/files", fields, headers={"accept": "application/json"})
        return response.status_code, response.json()["error"]

    assert send(b"Shoes") == (201, None)
    assert send(b"") == (422, "The file is empty.")


def test_upload_is_limited(
    bob: Client, base: KnowledgeBase, path: str, settings: LazySettings
) -> None:
    settings.MAX_SOURCES = 0
    files = [SimpleUploadedFile("a.txt", b"Boots")]
    response = bob.post(f"{path}/files", {"files": files}, follow=True)
    assert shown_messages(response) == [
        "a.txt: A workspace has at most 0 sources. Delete one first."
    ]
    assert not SourceFile.objects.filter(workspace=base.workspace).exists()


def test_source_is_indexed_again_canceled_and_deleted(
    team: Team, bob: Client, chatbot: Chatbot
) -> None:
    source = make_knowledge(chatbot, text="Boots")
    root = page_path(team.workspace, "knowledge")
    own, base = f"{root}/sources/{source.id}", f"{root}/{source.knowledge_base_id}"

    def act(path: str, **fields: str) -> tuple[list[str], str]:
        response = bob.post(path, fields, follow=True)
        return shown_messages(response), response.redirect_chain[-1][0]

    assert "Support answers from it." in visible_text(bob.get(base).content.decode())
    assert act(f"{own}/cancel") == (["Boots is not being indexed."], own)
    assert act(f"{own}/reindex", **{"from": "list"}) == (["Boots is indexed again."], base)
    source.refresh_from_db()
    assert source.status == "pending"
    assert act(f"{own}/cancel") == (["Indexing of Boots canceled."], own)
    source.refresh_from_db()
    assert (source.status, source.status_reason) == ("ready", "Indexing was canceled.")
    assert act(f"{base}/reindex") == (["1 source to be indexed again."], base)
    assert act(f"{own}/delete") == (["Boots deleted."], base)
    assert "No sources yet" in visible_text(bob.get(base).content.decode())
    assert bob.get(own).status_code == 404
