"""Indexing a source: each step is committed, and what is live is replaced only by what is whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import EmbeddingModel
from apps.knowledge.models import (
    Chunk,
    ChunkOverride,
    ChunkVector,
    Document,
    Generation,
    KnowledgeBase,
    Source,
    SourceStatus,
)
from apps.knowledge.pipeline.claiming import CLAIM_SOURCE, claim_source
from apps.knowledge.pipeline.erasing import erase_discarded
from apps.knowledge.pipeline.indexing import MAX_ATTEMPTS, index_source, index_sources
from apps.knowledge.queries import live_chunks
from apps.knowledge.services import sources as services
from tests.factories import Team, make_team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base

LONG_TEXT = "\n\n".join(
    f"## Part {number}\n\n" + f"Sentence number {number} of the long text. " * 60
    for number in range(80)
)
"""More chunks than are embedded between two commits."""


@pytest.fixture(autouse=True)
def no_other_sources(db: None) -> None:
    """Make the sources that committed tests have left not due, until the rollback."""
    Source.objects.update(due_at=None)


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    return make_knowledge_base(team.workspace)


def add_text(base: KnowledgeBase, text: str, title: str = "Returns") -> Source:
    return services.add_text(base=base, title=title, text=text, actor=SYSTEM)


def index(source: Source) -> Source:
    """Index everything that is due, and return the source as it is then."""
    assert index_sources(max_seconds=60) is False
    source.refresh_from_db()
    return source


def make_due(source: Source) -> None:
    Source.objects.filter(id=source.id).update(due_at=timezone.now(), claimed_until=None)


def live_texts(source: Source) -> list[str]:
    return [chunk.text for chunk in live_chunks(source)]


def set_provider_model(base: KnowledgeBase, provider_model: str) -> None:
    models = EmbeddingModel.objects.filter(id=base.embedding_model_id)
    models.update(provider_model=provider_model)


def test_text_is_found_by_words_and_vectors(base: KnowledgeBase) -> None:
    source = index(add_text(base, "# Sizes\n\nWe have sizes 36 to 48.\n\n# Returns\n\n30 days."))
    assert (source.status, source.status_reason, source.due_at) == ("ready", "", None)
    chunks = list(live_chunks(source))
    assert source.chunks == len(chunks) > 0
    assert source.tokens == sum(chunk.tokens for chunk in chunks)
    assert "30 days." in " ".join(chunk.text for chunk in chunks)
    assert ChunkVector.objects.filter(chunk__in=chunks).count() == len(chunks)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM knowledge_chunk WHERE id = ANY(%s) AND words @@ 'days'::tsquery",
            [[chunk.id for chunk in chunks]],
        )
        assert cursor.fetchone() == (1,)


def test_answer_is_indexed_with_its_questions(base: KnowledgeBase) -> None:
    source = services.add_question_and_answer(
        base=base, questions=["How long?", "Until when?"], answer="**30 days**", actor=SYSTEM
    )
    (text,) = live_texts(index(source))
    assert [part in text for part in ("How long?", "Until when?", "30 days")] == [True] * 3


def test_file_is_read_by_its_content(base: KnowledgeBase) -> None:
    source = services.add_file(
        base=base,
        name="prices.pdf",
        content_type="application/pdf",
        body=b"article,price\nboots,120\n",
        actor=SYSTEM,
    )
    assert "boots" in " ".join(live_texts(index(source)))
    assert source.bytes == 24


def test_unreadable_file_fails_with_a_reason(base: KnowledgeBase) -> None:
    source = services.add_file(
        base=base, name="a.pdf", content_type="", body=b"%PDF-1.7\nnothing", actor=SYSTEM
    )
    index(source)
    assert (source.status, source.chunks, source.due_at) == ("failed", 0, None)
    assert source.status_reason.endswith(".")
    assert Generation.objects.get(source=source).finished_at is not None


def test_failure_leaves_what_is_live(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    set_provider_model(base, "sandbox/embed-fail")
    services.update_source(source=source, actor=SYSTEM, changes={"text": "We ship on Fridays."})
    for _ in range(MAX_ATTEMPTS):
        make_due(source)
        index(source)
    assert source.status == SourceStatus.FAILED
    assert source.status_reason == "The embedding model does not answer."
    assert live_texts(source) == ["We ship on Mondays."]
    set_provider_model(base, "sandbox/embed")
    assert live_texts(index(services.reindex_source(source=source, actor=SYSTEM))) == [
        "We ship on Fridays."
    ]


def test_unchanged_passage_keeps_its_vector(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    set_provider_model(base, "sandbox/embed-fail")
    before = source.live_generation_id
    source = index(services.reindex_source(source=source, actor=SYSTEM))
    assert source.status == SourceStatus.READY
    assert source.live_generation_id != before
    assert ChunkVector.objects.filter(generation_id=source.live_generation_id).count() == 1


def test_interrupted_indexing_goes_on_without_repeats(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    runs = 0
    while source.status != SourceStatus.READY:
        claimed = claim_source()
        assert claimed is not None
        index_source(claimed, deadline=time.monotonic())
        source.refresh_from_db()
        runs += 1
    assert runs > 1
    positions = [chunk.position for chunk in live_chunks(source)]
    assert positions == list(range(source.chunks))
    assert ChunkVector.objects.filter(knowledge_base=base).count() == source.chunks
    assert Document.objects.filter(generation__source=source).count() == 1
    assert Generation.objects.filter(source=source).count() == 1


def test_source_of_a_dead_worker_is_due_when_its_claim_ends(base: KnowledgeBase) -> None:
    source = add_text(base, "We ship on Mondays.")
    dead = claim_source()
    assert (dead is not None, claim_source()) == (True, None)
    make_due(source)  # as when the claim ends
    assert index(source).status == SourceStatus.READY


def test_source_that_kills_its_workers_fails(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    services.update_source(source=source, actor=SYSTEM, changes={"text": "We ship daily."})
    for _ in range(MAX_ATTEMPTS):
        assert claim_source() is not None
        make_due(source)
    index(source)
    assert (source.status, source.attempts, source.due_at) == ("failed", 0, None)
    assert live_texts(source) == ["We ship on Mondays."]


CHANGES: dict[str, Callable[[Source], Any]] = {
    "canceled": lambda source: services.cancel_indexing(source=source, actor=SYSTEM),
    "deleted": lambda source: services.delete_source(source=source, actor=SYSTEM),
    "indexed again": lambda source: services.reindex_source(source=source, actor=SYSTEM),
    "changed": lambda source: services.update_source(
        source=source, actor=SYSTEM, changes={"text": "Another."}
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_worker_writes_nothing_after_a_change(
    base: KnowledgeBase, change: Callable[[Source], Any]
) -> None:
    source = add_text(base, "We ship on Mondays.")
    claimed = claim_source()
    assert claimed is not None
    change(source)
    index_source(claimed, deadline=time.monotonic() + 60)
    assert Chunk.objects.filter(knowledge_base=base).count() == 0
    source.refresh_from_db()
    assert (source.live_generation_id, source.chunks) == (None, 0)


def test_canceled_source_says_so_and_is_not_due(base: KnowledgeBase) -> None:
    source = services.cancel_indexing(source=add_text(base, "A text."), actor=SYSTEM)
    assert (source.status, source.status_reason) == ("failed", "Indexing was canceled.")
    assert claim_source() is None


def test_deleted_source_is_erased_with_everything(base: KnowledgeBase) -> None:
    source = index(add_text(base, LONG_TEXT))
    ChunkOverride.objects.create(workspace_id=base.workspace_id, source=source, digest="d")
    other = index(add_text(base, "We ship on Mondays."))
    services.delete_source(source=source, actor=SYSTEM)
    assert erase_discarded() == 1
    assert list(Source.objects.filter(knowledge_base=base)) == [other]
    assert Chunk.objects.filter(knowledge_base=base).count() == other.chunks
    assert ChunkVector.objects.filter(knowledge_base=base).count() == other.chunks
    assert ChunkOverride.objects.filter(workspace_id=base.workspace_id).count() == 0


def test_replaced_generation_is_erased(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    services.update_source(source=source, actor=SYSTEM, changes={"text": "We ship daily."})
    index(source)
    assert Generation.objects.filter(source=source).count() == 2
    assert erase_discarded() == 1
    assert live_texts(source) == ["We ship daily."]
    assert Chunk.objects.filter(knowledge_base=base).count() == 1


def test_edited_passage_is_kept_by_the_next_generation(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    (chunk,) = live_chunks(source)
    ChunkOverride.objects.create(
        workspace_id=base.workspace_id,
        source=source,
        digest=chunk.digest,
        text="We ship every Monday.",
        original_text=chunk.text,
        is_enabled=False,
    )
    (again,) = live_chunks(index(services.reindex_source(source=source, actor=SYSTEM)))
    assert (again.text, again.is_enabled, again.is_edited) == ("We ship every Monday.", False, True)


def test_workspaces_take_turns(team: Team, base: KnowledgeBase) -> None:
    crowded = [add_text(base, f"Text {number}.") for number in range(4)]
    other = make_knowledge_base(make_team().workspace)
    single = add_text(other, "The only one.")
    claimed = [claim_source() for _ in range(4)]
    ids = [source.id for source in claimed if source is not None]
    assert ids == [crowded[0].id, single.id, crowded[1].id]


def test_claim_reads_few_rows_of_a_workspace_with_many_due(base: KnowledgeBase) -> None:
    Source.objects.bulk_create(
        [
            Source(workspace_id=base.workspace_id, knowledge_base=base, type="text", title="Many")
            for _ in range(3000)
        ]
    )
    single = add_text(make_knowledge_base(make_team().workspace), "The only one.")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE knowledge_source")
        values: dict[str, str | int] = {"max_per_workspace": 2, "seconds": 30, "claim": "c"}
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {CLAIM_SOURCE.sql}", values)
        ((plan,),) = cursor.fetchall()
    touched = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
    assert touched < 2000, plan  # not some blocks for each of the 3,000
    second = claim_source()
    assert second is not None
    assert second.id == single.id


def test_sources_wait_for_their_pause_after_a_failure(base: KnowledgeBase) -> None:
    set_provider_model(base, "sandbox/embed-fail")
    source = index(add_text(base, "We ship on Mondays."))
    assert source.status == SourceStatus.EMBEDDING
    assert source.due_at is not None
    assert source.due_at > timezone.now() + timedelta(seconds=2)
    assert claim_source() is None


def test_model_of_a_base_is_its_own(team: Team) -> None:
    model = make_embedding_model()
    base = make_knowledge_base(team.workspace, embedding_model=model)
    source = index(add_text(base, "We ship on Mondays."))
    vector = ChunkVector.objects.get(generation_id=source.live_generation_id)
    assert vector.embedding_model_id == model.id
