"""Embedding is charged once: what was stored, when the generation or the change of model ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.chatbots.models import EmbeddingModel
from apps.credits.models import Account, EntryKind, LedgerEntry
from apps.credits.queries import balance_for
from apps.credits.services import hold, reverse
from apps.knowledge.models import (
    ChunkVector,
    Generation,
    KnowledgeBase,
    Source,
)
from apps.knowledge.pipeline.claiming import claim_source
from apps.knowledge.pipeline.erasing import erase_discarded
from apps.knowledge.pipeline.indexing import index_source
from apps.knowledge.pipeline.model_changes import change_embedding_models
from apps.knowledge.queries import live_chunks
from apps.knowledge.services import bases, sources
from apps.knowledge.services.embedding_charges import EmbeddingJob, record_tokens
from tests.factories import Team, grant_credits
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.knowledge.pipeline.charging import (
    CREDITS,
    LONG_TEXT,
    PRICE,
    begin,
    change_to,
    charges,
    leave_free,
    uncharged,
)
from tests.knowledge.pipeline.embedded_tokens import tokens_of
from tests.knowledge.pipeline.test_indexing import add_text, index


@pytest.fixture(autouse=True)
def no_other_rows(db: None) -> None:
    """Leave the rows of committed tests out, until the rollback."""
    Source.objects.update(due_at=None)
    KnowledgeBase.objects.update(next_embedding_model=None)


@pytest.fixture
def model(db: None) -> EmbeddingModel:
    return make_embedding_model(credits_per_1k_tokens=PRICE)


@pytest.fixture
def base(team: Team, model: EmbeddingModel) -> KnowledgeBase:
    grant_credits(team.workspace, CREDITS)
    return make_knowledge_base(team.workspace, embedding_model=model)


def test_model_without_a_price_makes_no_entry(team: Team) -> None:
    base = make_knowledge_base(team.workspace)
    assert index(add_text(base, LONG_TEXT)).status == "ready"
    assert charges(base) == []
    assert Account.objects.filter(workspace=team.workspace).count() == 0


def test_indexing_is_charged_once(base: KnowledgeBase, model: EmbeddingModel) -> None:
    source = index(add_text(base, LONG_TEXT))
    assert charges(base) == [(source.id, tokens_of(source))]
    entry = LedgerEntry.objects.get(reference=source.id)
    assert entry.reason == f"{tokens_of(source):,} tokens by {model.name}, 1,000 per 1,000"
    assert (entry.turn_id, uncharged(base)) == (None, 0)


def test_price_of_tokens_is_rounded_up_once(base: KnowledgeBase) -> None:
    EmbeddingModel.objects.filter(id=base.embedding_model_id).update(credits_per_1k_tokens=3)
    source = index(add_text(base, LONG_TEXT))
    assert charges(base) == [(source.id, -(-tokens_of(source) * 3 // 1000))]


def test_unchanged_passages_are_not_charged_again(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    before = charges(base)
    index(sources.reindex_source(source=source, actor=SYSTEM))
    assert charges(base) == before


def test_indexing_that_goes_on_elsewhere_is_charged_once(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    assert begin(source) > 0
    assert claim_source() is not None  # by a worker that dies
    Source.objects.filter(id=source.id).update(due_at=timezone.now(), claimed_until=None)
    assert charges(base) == []
    index(source)
    assert charges(base) == [(source.id, tokens_of(source))]


def test_price_of_the_first_tokens_holds_to_the_end(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    begin(source)
    EmbeddingModel.objects.filter(id=base.embedding_model_id).update(credits_per_1k_tokens=9000)
    index(source)
    assert charges(base) == [(source.id, tokens_of(source))]


def test_each_model_is_charged_by_itself(base: KnowledgeBase) -> None:
    following = make_embedding_model(credits_per_1k_tokens=2 * PRICE)
    change_to(base, following)
    source = index(add_text(base, LONG_TEXT))
    assert sorted(charges(base)) == [
        (source.id, tokens_of(source)),
        (source.id, 2 * tokens_of(source)),
    ]


ENDS: dict[str, Callable[[Source], object]] = {
    "canceled": lambda source: sources.cancel_indexing(source=source, actor=SYSTEM),
    "deleted": lambda source: sources.delete_source(source=source, actor=SYSTEM),
    "indexed again": lambda source: sources.reindex_source(source=source, actor=SYSTEM),
    "changed": lambda source: sources.update_source(
        source=source, actor=SYSTEM, changes={"text": "Another."}
    ),
    "base indexed again": lambda source: sources.reindex_knowledge_base(
        base=source.knowledge_base, actor=SYSTEM
    ),
    "base deleted": lambda source: bases.delete_knowledge_base(
        base=source.knowledge_base, actor=SYSTEM
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_unfinished_generation_is_charged_when_it_ends(
    base: KnowledgeBase, end: Callable[[Source], object]
) -> None:
    source = add_text(base, LONG_TEXT)
    due = begin(source)
    end(source)
    assert (charges(base), uncharged(base)) == ([(source.id, due)], 0)


def test_worker_without_a_claim_adds_no_tokens(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    claimed = claim_source()
    assert claimed is not None
    sources.cancel_indexing(source=source, actor=SYSTEM)
    index_source(claimed, deadline=time.monotonic() + 60)
    assert (charges(base), uncharged(base)) == ([], 0)


def test_failed_indexing_is_charged_for_what_it_embedded(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    due = begin(source)
    EmbeddingModel.objects.filter(id=base.embedding_model_id).update(
        provider_model="sandbox/embed-fail"
    )
    while source.status != "failed":
        Source.objects.filter(id=source.id).update(due_at=timezone.now(), claimed_until=None)
        index(source)
    assert charges(base) == [(source.id, due)]


def test_nothing_is_embedded_that_the_credits_do_not_cover(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    before = charges(base)
    leave_free(base, 12)
    sources.update_source(source=source, actor=SYSTEM, changes={"text": LONG_TEXT})
    index(source)
    assert source.status == "failed"
    needed = int(source.status_reason.split()[4].replace(",", ""))
    assert needed > 12
    assert source.status_reason == (
        f"Embedding this needs about {needed:,} credits more; 12 are available."
    )
    assert [chunk.text for chunk in live_chunks(source)] == ["We ship on Mondays."]
    assert charges(base) == before
    grant_credits(base.workspace, needed - 12)
    source = index(sources.reindex_source(source=source, actor=SYSTEM))
    assert charges(base) == [*before, (source.id, tokens_of(source))]


def test_credits_used_meanwhile_end_the_indexing(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    due = begin(source)
    leave_free(base, due + 1)
    index(source)
    assert (source.status, charges(base)) == ("failed", [(source.id, due)])
    assert source.status_reason.endswith(" credits more; 1 is available.")


def test_what_is_free_is_charged_if_it_is_less(base: KnowledgeBase) -> None:
    source = add_text(base, LONG_TEXT)
    due = begin(source)
    hold(workspace_id=base.workspace_id, credits=100)
    leave_free(base, due - 1)
    sources.cancel_indexing(source=source, actor=SYSTEM)
    balance = balance_for(base.workspace_id)
    assert (charges(base), balance.balance, balance.held) == ([(source.id, due - 1)], 100, 100)


def test_other_sources_leave_what_is_uncharged(base: KnowledgeBase) -> None:
    first = add_text(base, LONG_TEXT)
    due = begin(first)
    Source.objects.filter(id=first.id).update(due_at=None)
    leave_free(base, due + 3)
    second = index(add_text(base, "We ship on Mondays, on Fridays and on each second Sunday."))
    assert second.status_reason.endswith(" credits more; 3 are available.")


def test_reversed_embedding_is_a_refund(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    entry = LedgerEntry.objects.get(reference=source.id)
    reversal = reverse(workspace_id=base.workspace_id, entry_id=entry.id, reason="for a test")
    assert (reversal.kind, reversal.amount) == (EntryKind.REFUND, -entry.amount)


def test_change_of_model_is_charged_once(base: KnowledgeBase) -> None:
    source = index(add_text(base, LONG_TEXT))
    before = charges(base)
    change_to(base, make_embedding_model(credits_per_1k_tokens=2 * PRICE))
    assert change_embedding_models(max_seconds=60) == source.chunks
    assert charges(base) == [*before, (base.id, 2 * tokens_of(source))]
    assert uncharged(base) == 0


def test_given_up_change_of_model_is_charged(base: KnowledgeBase, model: EmbeddingModel) -> None:
    index(add_text(base, LONG_TEXT))
    before = charges(base)
    change_to(base, make_embedding_model(credits_per_1k_tokens=PRICE))
    assert change_embedding_models(max_seconds=0) > 0
    due = uncharged(base)
    change_to(base, model)
    assert (charges(base), uncharged(base)) == ([*before, (base.id, due)], 0)


def test_change_of_model_waits_for_credits(base: KnowledgeBase, model: EmbeddingModel) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    before = charges(base)
    leave_free(base, 0)
    following = make_embedding_model(credits_per_1k_tokens=PRICE)
    change_to(base, following)
    change_embedding_models(max_seconds=60)
    base.refresh_from_db()
    assert base.embedding_error == (
        f"Embedding this needs about {source.tokens} credits more; 0 are available."
    )
    assert (base.embedding_model_id, charges(base)) == (model.id, before)
    grant_credits(base.workspace, source.tokens)
    change_to(base, following)
    change_embedding_models(max_seconds=60)
    assert charges(base) == [*before, (base.id, tokens_of(source))]


def test_uncharged_generation_cannot_be_erased(base: KnowledgeBase) -> None:
    source = add_text(base, "We ship on Mondays.")
    generation = Generation.objects.create(workspace_id=base.workspace_id, source=source)
    job = EmbeddingJob(base.workspace_id, base.id, base.embedding_model, generation.id)
    record_tokens(job, tokens=7)

    def erase() -> None:
        with transaction.atomic():
            Generation.objects.filter(id=generation.id).delete()
            connection.check_constraints()

    with pytest.raises(IntegrityError, match="uncharged_generation"):
        erase()


def test_base_that_is_deleted_while_it_is_indexed_is_erased(base: KnowledgeBase) -> None:
    begin(add_text(base, LONG_TEXT))
    bases.delete_knowledge_base(base=base, actor=SYSTEM)
    erase_discarded()
    assert KnowledgeBase.objects.filter(id=base.id).count() == 0
    for model in (Source, Generation, ChunkVector):
        assert model._default_manager.filter(workspace_id=base.workspace_id).count() == 0
