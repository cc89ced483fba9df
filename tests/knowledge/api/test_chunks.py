"""REST endpoints of chunks."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core.ids import new_id
from apps.credits.models import LedgerEntry
from apps.knowledge.models import (
    ChunkOverride,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
)
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.queries import live_chunks
from tests.api_kit.rest_client import Api
from tests.factories import Team, grant_credits, make_chatbot
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.api.api_helpers import add_text
from tests.knowledge.knowledge_factory import make_knowledge


def test_chunk_is_read_while_it_is_found(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    index_sources(max_seconds=60)
    (chunk,) = api("GET", f"/sources/{source['id']}/chunks")["chunks"]
    path = f"/chunks/{chunk['id']}"
    assert api("GET", path) == chunk
    api("DELETE", f"/sources/{source['id']}")
    assert api("GET", path, status=404)["code"] == "CHUNK_NOT_FOUND"


def test_foreign_chunk_is_absent(api: Api, team: Team) -> None:
    theirs = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    path = f"/chunks/{live_chunks(theirs).get().id}"
    assert api("GET", path, status=404)["code"] == "CHUNK_NOT_FOUND"


@pytest.fixture
def source(api: Api, base: dict[str, Any]) -> dict[str, Any]:
    """An indexed source of one chunk."""
    added = add_text(api, base, "We ship on Mondays.")
    index_sources(max_seconds=60)
    return added


def only_chunk(api: Api, source: dict[str, Any]) -> dict[str, Any]:
    (chunk,) = api("GET", f"/sources/{source['id']}/chunks")["chunks"]
    found: dict[str, Any] = chunk
    return found


def edit(api: Api, source: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return api("PATCH", f"/chunks/{only_chunk(api, source)['id']}", changes)


def search(api: Api, base: dict[str, Any], query: str) -> list[tuple[str, list[str]]]:
    results = api("POST", f"/knowledge-bases/{base['id']}/search", {"query": query})["results"]
    return [(each["text"], each["matchedBy"]) for each in results]


def vectors_of(source: dict[str, Any]) -> list[tuple[str, list[float]]]:
    live = Source.objects.get(id=source["id"]).live_generation_id
    vectors = ChunkVector.objects.filter(generation_id=live).order_by("embedding_model_id")
    return [(each.embedding_model_id, list(each.embedding)) for each in vectors]


def test_edited_text_is_found_by_its_own_words_and_vector(
    api: Api, base: dict[str, Any], source: dict[str, Any]
) -> None:
    before = vectors_of(source)
    changed = edit(api, source, text="Parcels leave the warehouse daily.\n")
    assert {name: changed[name] for name in ("text", "originalText", "isEdited", "isEnabled")} == {
        "text": "Parcels leave the warehouse daily.",
        "originalText": "We ship on Mondays.",
        "isEdited": True,
        "isEnabled": True,
    }
    assert only_chunk(api, source) == changed
    found = [("Parcels leave the warehouse daily.", ["words", "vectors"])]
    assert search(api, base, "When do parcels leave the warehouse?") == found
    assert len(vectors_of(source)) == 1
    assert vectors_of(source) != before
    assert api("GET", f"/sources/{source['id']}")["tokens"] == changed["tokens"]
    entry = AuditEntry.objects.get(action="source.chunk_changed", target_id=source["id"])
    assert entry.details["chunk"] == changed["id"]


def test_edited_text_is_restored(api: Api, base: dict[str, Any], source: dict[str, Any]) -> None:
    original, vectors = only_chunk(api, source), vectors_of(source)
    edit(api, source, text="Parcels leave daily.")
    edit(api, source, text="Parcels leave hourly.")
    assert edit(api, source, text=None) == original
    assert vectors_of(source) == vectors
    assert ChunkOverride.objects.filter(source_id=source["id"]).count() == 0
    assert edit(api, source, text=None) == original


def test_switched_off_passage_is_not_found(
    api: Api, base: dict[str, Any], source: dict[str, Any]
) -> None:
    assert edit(api, source, isEnabled=False)["isEnabled"] is False
    assert search(api, base, "When do you ship?") == []
    assert only_chunk(api, source)["isEnabled"] is False
    assert edit(api, source, isEnabled=True)["isEnabled"] is True
    assert len(search(api, base, "When do you ship?")) == 1
    assert ChunkOverride.objects.filter(source_id=source["id"]).count() == 0


def test_changes_hold_after_indexing_again(
    api: Api, base: dict[str, Any], source: dict[str, Any]
) -> None:
    edit(api, source, text="Parcels leave daily.", isEnabled=False)
    api("POST", f"/sources/{source['id']}/reindex", status=202)
    index_sources(max_seconds=60)
    again = only_chunk(api, source)
    assert (again["text"], again["isEnabled"]) == ("Parcels leave daily.", False)
    restored = edit(api, source, text=None, isEnabled=True)
    assert (restored["text"], restored["isEdited"]) == ("We ship on Mondays.", False)
    assert len(search(api, base, "When do you ship?")) == 1


def test_chunk_that_is_being_indexed_again_is_changed_too(
    api: Api, base: dict[str, Any], source: dict[str, Any]
) -> None:
    """The generation that is being built has read the old text, and may have embedded it."""
    building = live_chunks(Source.objects.get(id=source["id"])).get()
    vector = ChunkVector.objects.get(chunk=building)
    generation = Generation.objects.create(
        workspace_id=building.workspace_id, source_id=source["id"]
    )
    building.id, building.generation, vector.id = new_id(), generation, None
    building.document = Document.objects.create(
        workspace_id=building.workspace_id, generation=generation, position=0, status="ready"
    )
    building.save(force_insert=True)
    vector.chunk, vector.generation = building, generation
    vector.save(force_insert=True)
    edit(api, source, text="Parcels leave daily.")
    building.refresh_from_db()
    assert (building.text, building.is_edited) == ("Parcels leave daily.", True)
    vector = ChunkVector.objects.get(chunk=building)
    assert [(vector.embedding_model_id, list(vector.embedding))] == vectors_of(source)


def test_text_is_embedded_by_the_next_model_too(
    api: Api, base: dict[str, Any], source: dict[str, Any]
) -> None:
    following = make_embedding_model()
    api("PATCH", f"/knowledge-bases/{base['id']}", {"embeddingModelId": following.id})
    edit(api, source, text="Parcels leave daily.")
    ids = {model_id for model_id, _ in vectors_of(source)}
    present = KnowledgeBase.objects.get(id=base["id"]).embedding_model_id
    assert ids == {present, following.id}


def test_nothing_is_changed_if_the_model_does_not_answer(
    api: Api, base: dict[str, Any], source: dict[str, Any]
) -> None:
    original = only_chunk(api, source)
    failing = make_embedding_model("sandbox/embed-fail")
    KnowledgeBase.objects.filter(id=base["id"]).update(next_embedding_model=failing)
    path = f"/chunks/{original['id']}"
    refused = api("PATCH", path, {"text": "Parcels leave daily.", "isEnabled": False}, status=503)
    assert refused["code"] == "EMBEDDING_UNAVAILABLE"
    assert only_chunk(api, source) == original
    assert api("PATCH", path, {"isEnabled": False})["isEnabled"] is False


def test_edited_text_is_charged(
    api: Api, base: dict[str, Any], source: dict[str, Any], team: Team
) -> None:
    priced = make_embedding_model(credits_per_1k_tokens=1000)
    KnowledgeBase.objects.filter(id=base["id"]).update(embedding_model=priced)
    path = f"/chunks/{only_chunk(api, source)['id']}"
    refused = api("PATCH", path, {"text": "Parcels leave daily."}, status=402)
    assert (refused["code"], refused["available"], refused["needed"] > 0) == (
        "INSUFFICIENT_CREDITS",
        0,
        True,
    )
    grant_credits(team.workspace, 100)
    api("PATCH", path, {"text": "Parcels leave daily."})
    charged = LedgerEntry.objects.filter(workspace=team.workspace, amount__lt=0)
    assert [entry.reference for entry in charged] == [source["id"]]


@pytest.mark.parametrize("text", [" \n", "x" * 4001, "a\0", ""])
def test_invalid_text_is_refused(api: Api, source: dict[str, Any], text: str) -> None:
    path = f"/chunks/{only_chunk(api, source)['id']}"
    assert list(api("PATCH", path, {"text": text}, status=400)["details"]) == ["text"]


def test_foreign_chunk_is_not_changed(api: Api, team: Team) -> None:
    theirs = live_chunks(make_knowledge(make_chatbot(team.other_workspace), text="Theirs")).get()
    path = f"/chunks/{theirs.id}"
    assert api("PATCH", path, {"text": "Ours"}, status=404)["code"] == "CHUNK_NOT_FOUND"
    theirs.refresh_from_db()
    assert theirs.text == "Theirs"
