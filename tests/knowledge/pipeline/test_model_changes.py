"""Changing the embedding model of a base: the old vectors are used until all new ones are there."""

from __future__ import annotations

import pytest

from apps.audit.services import SYSTEM
from apps.chatbots.models import EmbeddingModel
from apps.knowledge.models import ChunkVector, KnowledgeBase, Source
from apps.knowledge.pipeline.erasing import erase_discarded
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.pipeline.model_changes import change_embedding_models
from apps.knowledge.services.bases import update_knowledge_base
from apps.knowledge.services.sources import add_text
from tests.factories import Team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base


@pytest.fixture(autouse=True)
def no_other_rows(db: None) -> None:
    """Leave the rows of committed tests out, until the rollback."""
    Source.objects.update(due_at=None)
    KnowledgeBase.objects.update(next_embedding_model=None)


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    base = make_knowledge_base(team.workspace)
    for text in ("We ship on Mondays.", "Returns take 30 days."):
        add_text(base=base, title="Shop", text=text, actor=SYSTEM)
    index_sources(max_seconds=60)
    return base


def models_of_vectors(base: KnowledgeBase) -> list[str]:
    vectors = ChunkVector.objects.filter(knowledge_base=base)
    return sorted(vectors.values_list("embedding_model_id", flat=True))


def change_to(base: KnowledgeBase, model: EmbeddingModel) -> KnowledgeBase:
    return update_knowledge_base(base=base, name=base.name, embedding_model=model, actor=SYSTEM)


def test_model_is_changed_once_all_chunks_have_vectors(base: KnowledgeBase) -> None:
    old, new = base.embedding_model, make_embedding_model()
    change_to(base, new)
    assert change_embedding_models(max_seconds=60) == 2
    base.refresh_from_db()
    assert (base.embedding_model_id, base.next_embedding_model_id) == (new.id, None)
    assert models_of_vectors(base) == sorted([old.id, new.id] * 2)
    erase_discarded()
    assert models_of_vectors(base) == [new.id] * 2
    base.refresh_from_db()
    assert base.unused_embedding_models == []


def test_failing_model_leaves_the_old_one(base: KnowledgeBase) -> None:
    old = base.embedding_model_id
    change_to(base, make_embedding_model("sandbox/embed-fail"))
    assert change_embedding_models(max_seconds=60) == 0
    base.refresh_from_db()
    assert base.embedding_model_id == old
    assert base.embedding_error == "The embedding model does not answer."


def test_failed_change_goes_on_when_it_is_asked_for_again(base: KnowledgeBase) -> None:
    new = make_embedding_model("sandbox/embed-fail")
    change_to(base, new)
    change_embedding_models(max_seconds=60)
    EmbeddingModel.objects.filter(id=new.id).update(provider_model="sandbox/embed")
    assert change_embedding_models(max_seconds=60) == 0
    assert change_to(base, new).embedding_error == ""
    assert change_embedding_models(max_seconds=60) == 2
    base.refresh_from_db()
    assert base.embedding_model_id == new.id


def test_present_model_ends_a_change(base: KnowledgeBase) -> None:
    old, failing = base.embedding_model, make_embedding_model("sandbox/embed-fail")
    change_to(base, failing)
    base = change_to(base, old)
    assert (base.next_embedding_model_id, base.embedding_error) == (None, "")
    assert base.unused_embedding_models == [failing.id]


def test_source_that_is_indexed_meanwhile_has_both_vectors(base: KnowledgeBase) -> None:
    new = make_embedding_model()
    change_to(base, new)
    source = add_text(base=base, title="Shop", text="We are closed on Sundays.", actor=SYSTEM)
    index_sources(max_seconds=60)
    source.refresh_from_db()
    vectors = ChunkVector.objects.filter(generation_id=source.live_generation_id)
    models = set(vectors.values_list("embedding_model_id", flat=True))
    assert models == {base.embedding_model_id, new.id}
