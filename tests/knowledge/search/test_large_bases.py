"""Large bases: by their rarest words and by an index over vectors. Their number of chunks is made
up, because that is what decides."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from apps.audit.services import SYSTEM
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.search import vectors_sql
from apps.knowledge.search.connections import SET_LOCAL, SET_LOCAL_VALUES
from apps.knowledge.search.results import Passage
from apps.knowledge.search.services import search
from apps.knowledge.search.statement import QuestionVector, build_search
from apps.knowledge.search.terms import search_terms
from apps.knowledge.search.vector_indexes import create_missing_indexes
from apps.knowledge.services import sources as services
from apps.knowledge.services.bases import delete_knowledge_base
from tests.factories import Team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base

GOODS = ("boots", "tents", "ropes", "stoves", "lamps", "maps", "poles", "jackets", "socks", "cups")
LARGE = vectors_sql.MAX_EXACT_CHUNKS * 2


@pytest.fixture
def base(live_team: Team) -> Iterator[KnowledgeBase]:
    """A base with a source of ten chunks, that says it has more than are read one by one."""
    Source.objects.update(due_at=None)
    base = make_knowledge_base(live_team.workspace, embedding_model=make_embedding_model())
    text = "\n\n".join(
        f"# Care of {name}\n\nHow to care for our {name}: " + f"the {name} like a dry place. " * 12
        for name in GOODS
    )
    services.add_text(base=base, title="Care", text=text, actor=SYSTEM)
    index_sources(max_seconds=60)
    Source.objects.filter(knowledge_base=base).update(chunks=LARGE)
    yield base
    delete_knowledge_base(base=base, actor=SYSTEM)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {index_of(base)}")


def index_of(base: KnowledgeBase) -> str:
    return vectors_sql.index_name(base.embedding_model_id)


def find(base: KnowledgeBase, question: str) -> list[Passage]:
    return search([base], question, max_passages=3, max_tokens=1000).passages


def plan(base: KnowledgeBase) -> str:
    """What is executed for a search, as JSON, without what is only planned."""
    vector = [1.0] + [0.0] * (base.embedding_model.dimensions - 1)
    sql, values = build_search(
        workspace_id=base.workspace_id,
        knowledge_base_ids=[base.id],
        vectors=[QuestionVector(base.embedding_model_id, vector)],
        terms=search_terms("boots"),
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SET_LOCAL, SET_LOCAL_VALUES)
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        (found,) = cursor.fetchone()
    return json.dumps(_executed(found[0]["Plan"]))


def _executed(node: dict) -> dict:  # type: ignore[type-arg]
    plans = [_executed(each) for each in node.get("Plans", ()) if each["Actual Loops"]]
    return {"index": node.get("Index Name"), "plans": plans}


@pytest.mark.parametrize("name", GOODS[:3])
def test_rare_words_find_the_passage_in_a_large_base(base: KnowledgeBase, name: str) -> None:
    first = find(base, f"How do I care for the {name}?")[0]
    assert name in first.text
    assert first.matched_by == ("words", "vectors")


def test_word_that_all_chunks_have_finds_some(base: KnowledgeBase) -> None:
    assert find(base, "care")[0].matched_by == ("words", "vectors")


def test_index_is_built_once_and_used(base: KnowledgeBase) -> None:
    before = find(base, "boots")
    assert index_of(base) not in plan(base)
    assert create_missing_indexes() == [index_of(base)]
    assert create_missing_indexes() == []
    assert index_of(base) in plan(base)
    assert [each.chunk_ids for each in find(base, "boots")] == [each.chunk_ids for each in before]


def test_small_base_is_read_beside_the_index(base: KnowledgeBase) -> None:
    create_missing_indexes()
    Source.objects.filter(knowledge_base=base).update(chunks=vectors_sql.MAX_EXACT_CHUNKS)
    assert index_of(base) not in plan(base)


def test_huge_base_without_an_index_is_found_by_words(base: KnowledgeBase) -> None:
    Source.objects.filter(knowledge_base=base).update(chunks=vectors_sql.MAX_READ_VECTORS + 1)
    assert find(base, "boots")[0].matched_by == ("words",)
    create_missing_indexes()
    assert find(base, "boots")[0].matched_by == ("words", "vectors")


def test_small_bases_need_no_index(base: KnowledgeBase) -> None:
    Source.objects.filter(knowledge_base=base).update(chunks=vectors_sql.MAX_EXACT_CHUNKS)
    assert create_missing_indexes() == []


def test_index_that_was_left_unfinished_is_not_used_and_is_replaced(base: KnowledgeBase) -> None:
    create_missing_indexes()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)",
            [index_of(base)],
        )
    assert find(base, "boots")[0].matched_by == ("words", "vectors")
    assert create_missing_indexes() == [index_of(base)]
