"""REST endpoints of knowledge bases, sources and search."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.knowledge.models import Document, Generation, Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.pipeline.model_changes import change_embedding_models
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.api.api_helpers import add, add_text
from tests.knowledge.knowledge_factory import make_knowledge


def test_knowledge_base_is_created_changed_and_deleted(api: Api, base: dict[str, Any]) -> None:
    path = f"/knowledge-bases/{base['id']}"
    assert {name: value for name, value in base.items() if name not in ("id", "createdAt")} == {
        "name": "Shop",
        "embeddingModel": "sandbox/embed",
        "nextEmbeddingModel": None,
        "embeddingError": None,
        "sources": 0,
        "chunks": 0,
    }
    assert api("GET", path) == base
    model = make_embedding_model()
    changed = api("PATCH", path, {"name": "Store", "embeddingModelId": model.id})
    assert changed == {**base, "name": "Store", "nextEmbeddingModel": model.name}
    assert api("GET", "/knowledge-bases")["knowledgeBases"] == [changed]
    assert api("DELETE", path) == {"id": base["id"], "deleted": True}
    assert api("GET", path, status=404)["code"] == "KNOWLEDGE_BASE_NOT_FOUND"
    assert api("GET", "/knowledge-bases")["knowledgeBases"] == []
    entries = AuditEntry.objects.filter(target_id=base["id"]).order_by("created_at", "id")
    assert [entry.action for entry in entries] == [
        "knowledge_base.created",
        "knowledge_base.renamed",
        "knowledge_base.embedding_model_changed",
        "knowledge_base.deleted",
    ]


def test_source_goes_from_pending_to_ready(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    assert (source["status"], source["chunks"], source["statusReason"]) == ("pending", 0, None)
    index_sources(max_seconds=60)
    ready = api("GET", f"/sources/{source['id']}")
    assert (ready["status"], ready["chunks"], ready["progress"]) == (
        "ready",
        1,
        {"done": 1, "total": 1},
    )
    assert api("GET", f"/knowledge-bases/{base['id']}")["chunks"] == 1
    chunks = api("GET", f"/sources/{source['id']}/chunks")
    assert [(each["text"], each["headingPath"]) for each in chunks["chunks"]] == [
        ("We ship on Mondays.", ["Shipping"])
    ]
    assert chunks["total"] == 1


def test_search_says_what_is_found_and_how(api: Api, base: dict[str, Any]) -> None:
    shipping = add_text(api, base, "We ship on Mondays.")
    add(api, base, type="qna", questions=["Can I return boots?"], answer="Within 30 days.")
    index_sources(max_seconds=60)
    path = f"/knowledge-bases/{base['id']}/search"
    results = api("POST", path, {"query": "When do you ship?", "limit": 1})["results"]
    assert [(each["sourceId"], each["text"], each["matchedBy"]) for each in results] == [
        (shipping["id"], "We ship on Mondays.", ["words", "vectors"])
    ]
    first = api("POST", path, {"query": "return of boots"})["results"][0]
    assert "Within 30 days." in first["text"]


def test_sources_are_listed_newest_first(api: Api, base: dict[str, Any]) -> None:
    ids = [add_text(api, base, f"Text {number}.")["id"] for number in range(3)]
    page = api("GET", f"/knowledge-bases/{base['id']}/sources?limit=2")
    assert [each["id"] for each in page["sources"]] == [ids[2], ids[1]]
    path = f"/knowledge-bases/{base['id']}/sources?limit=2&cursor={page['nextCursor']}"
    assert [each["id"] for each in api("GET", path)["sources"]] == [ids[0]]


def test_source_is_canceled_indexed_again_and_deleted(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    path = f"/sources/{source['id']}"
    canceled = api("POST", f"{path}/cancel")
    assert (canceled["status"], canceled["statusReason"]) == ("failed", "Indexing was canceled.")
    assert api("POST", f"{path}/reindex", status=202)["status"] == "pending"
    index_sources(max_seconds=60)
    assert api("GET", path)["status"] == "ready"
    assert api("POST", f"{path}/cancel")["status"] == "ready"
    assert api("DELETE", path) == {"id": source["id"], "deleted": True}
    assert api("GET", path, status=404)["code"] == "SOURCE_NOT_FOUND"


def test_documents_say_what_came_of_them(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    path = f"/sources/{source['id']}/documents"
    assert api("GET", path) == {"documents": [], "total": 0}
    index_sources(max_seconds=60)
    stored = Source.objects.get(id=source["id"])
    Document.objects.create(
        workspace_id=stored.workspace_id,
        generation=Generation.objects.get(id=stored.live_generation_id),
        position=1,
        url="https://shop.example/admin",
        status="skipped",
        reason="The site's robots.txt forbids it.",
    )
    listed = api("GET", path)
    assert [(each["title"], each["url"], each["status"]) for each in listed["documents"]] == [
        ("Shipping", None, "ready"),
        ("", "https://shop.example/admin", "skipped"),
    ]
    assert listed["total"] == 2
    skipped = api("GET", f"{path}?status=skipped")
    assert [each["reason"] for each in skipped["documents"]] == [
        "The site's robots.txt forbids it."
    ]
    assert (skipped["total"], api("GET", f"{path}?status=lost", status=400)["code"]) == (
        1,
        "VALIDATION_ERROR",
    )


def test_all_sources_of_a_base_are_indexed_again(api: Api, base: dict[str, Any]) -> None:
    ids = [add_text(api, base, f"Text {number}.")["id"] for number in range(2)]
    index_sources(max_seconds=60)
    path = f"/knowledge-bases/{base['id']}"
    assert api("POST", f"{path}/reindex", status=202) == {"id": base["id"], "sources": 2}
    assert [api("GET", f"/sources/{id}")["status"] for id in ids] == ["pending"] * 2
    index_sources(max_seconds=60)
    assert [api("GET", f"/sources/{id}")["status"] for id in ids] == ["ready"] * 2


def test_failed_change_of_the_embedding_model_says_why(api: Api, base: dict[str, Any]) -> None:
    add_text(api, base, "We ship on Mondays.")
    index_sources(max_seconds=60)
    path = f"/knowledge-bases/{base['id']}"
    model = make_embedding_model("sandbox/embed-fail")
    api("PATCH", path, {"embeddingModelId": model.id})
    change_embedding_models(max_seconds=5)
    changed = api("GET", path)
    assert (changed["nextEmbeddingModel"], changed["embeddingError"]) == (
        model.name,
        "The embedding model does not answer.",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "text", "title": "A", "text": " \n"}, "text"),
        ({"type": "text", "title": "A", "text": "x" * 1_000_001}, "text"),
        ({"type": "text", "title": "\u200b", "text": "x"}, "title"),
        ({"type": "text", "title": "A", "text": "a\0"}, "text"),
        ({"type": "qna", "questions": [], "answer": "x"}, "questions"),
        ({"type": "qna", "questions": [" "], "answer": "x"}, "questions"),
        ({"type": "qna", "questions": ["x"] * 51, "answer": "x"}, "questions"),
        ({"type": "text", "title": "A", "text": "x", "url": "https://a.example"}, "url"),
        ({"type": "fax", "title": "A"}, "body"),
        ({"title": "A", "text": "x"}, "body"),
    ],
)
def test_invalid_source_is_refused(
    api: Api, base: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    path = f"/knowledge-bases/{base['id']}/sources"
    refused = api("POST", path, body, status=400)
    assert any(field in name for name in refused["details"]), refused
    assert Source.objects.filter(knowledge_base_id=base["id"]).count() == 0


def test_foreign_rows_are_absent(api: Api, team: Team) -> None:
    theirs = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    foreign = f"/knowledge-bases/{theirs.knowledge_base_id}"
    for path in (foreign, f"{foreign}/sources"):
        assert api("GET", path, status=404)["code"] == "KNOWLEDGE_BASE_NOT_FOUND"
    assert api("POST", f"{foreign}/search", {"query": "x"}, status=404)
    source = f"/sources/{theirs.id}"
    for path in (source, f"{source}/chunks", f"{source}/documents"):
        assert api("GET", path, status=404)["code"] == "SOURCE_NOT_FOUND"


def test_embedding_models_are_listed(api: Api) -> None:
    models = api("GET", "/embedding-models")["embeddingModels"]
    assert "sandbox/embed" in [model["name"] for model in models]
    assert {"id", "creditsPer1kTokens", "isDefault"} <= models[0].keys()
