"""Searching in an event loop, over connections of its own."""

from __future__ import annotations

import asyncio

from apps.audit.services import SYSTEM
from apps.infrastructure.postgres.pool import close_pool
from apps.knowledge.models import KnowledgeBase, Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.pipeline.model_changes import change_embedding_models
from apps.knowledge.search.services import SearchResult, search, search_in_turn
from apps.knowledge.services.bases import update_knowledge_base
from apps.knowledge.services.sources import add_text
from tests.factories import Team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base

QUESTION = "When do you ship parcels?"


def make_indexed_base(team: Team) -> KnowledgeBase:
    Source.objects.update(due_at=None)
    base = make_knowledge_base(team.workspace)
    for title, text in (("Shipping", "We ship parcels on Mondays."), ("Dogs", "Dogs are welcome.")):
        add_text(base=base, title=title, text=text, actor=SYSTEM)
    index_sources(max_seconds=60)
    return KnowledgeBase.objects.select_related("embedding_model").get(id=base.id)


def find_in_turn(base: KnowledgeBase) -> SearchResult:
    async def find() -> SearchResult:
        try:
            return await search_in_turn([base], QUESTION, max_passages=5, max_tokens=1000)
        finally:
            await close_pool()

    return asyncio.run(find())


def test_turn_finds_what_a_thread_finds(live_team: Team) -> None:
    base = make_indexed_base(live_team)
    found = find_in_turn(base)
    assert found == search([base], QUESTION, max_passages=5, max_tokens=1000)
    assert (found.passages[0].title, found.is_found) == ("Shipping", True)


def test_base_whose_model_has_changed_since_it_was_read_is_found(live_team: Team) -> None:
    base = make_indexed_base(live_team)
    update_knowledge_base(
        base=KnowledgeBase.objects.get(id=base.id),
        name=base.name,
        embedding_model=make_embedding_model(),
        actor=SYSTEM,
    )
    change_embedding_models(max_seconds=60)
    assert find_in_turn(base).passages[0].matched_by == ("words", "vectors")
