"""How many sources, bytes and chunks a workspace may have, by its plan or the server."""

from __future__ import annotations

import pytest
from django.test import override_settings

from apps.audit.services import SYSTEM
from apps.core.ids import new_id
from apps.credits.models import Account, Plan
from apps.knowledge.models import Chunk, KnowledgeBase, Source
from apps.knowledge.pipeline.room import require_room
from apps.knowledge.queries import live_chunks
from apps.knowledge.services import sources
from apps.knowledge.usage import KnowledgeUsage, Limit, knowledge_limits, knowledge_usage
from apps.workspaces.errors import LimitReached
from tests.concurrent_sessions import after
from tests.factories import Team
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.knowledge.pipeline.test_indexing import LONG_TEXT, add_text, index


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    Source.objects.update(due_at=None)  # of committed tests, until the rollback
    return make_knowledge_base(team.workspace)


def put_on_plan(base: KnowledgeBase, **limits: int) -> None:
    plan = Plan.objects.create(slug=new_id(), name="Small", **limits)
    Account.objects.update_or_create(workspace_id=base.workspace_id, defaults={"plan": plan})


def add_file(base: KnowledgeBase, body: bytes) -> Source:
    return sources.add_file(
        base=base, name="a.txt", content_type="text/plain", body=body, actor=SYSTEM
    )


@override_settings(MAX_SOURCES=7, MAX_CHUNKS=9)
def test_plan_sets_limits_and_leaves_others_to_the_server(base: KnowledgeBase) -> None:
    assert knowledge_limits(base.workspace_id).sources == Limit(7, "")
    put_on_plan(base, max_sources=3)
    limits = knowledge_limits(base.workspace_id)
    assert (limits.sources, limits.chunks) == (Limit(3, "Small"), Limit(9, ""))


def test_usage_counts_what_is_there(base: KnowledgeBase) -> None:
    index(add_file(base, b"We ship on Mondays."))
    index(add_text(base, "Returns take 30 days."))
    deleted = index(add_text(base, "Deleted."))
    sources.delete_source(source=deleted, actor=SYSTEM)
    assert knowledge_usage(base.workspace_id) == KnowledgeUsage(sources=2, file_bytes=19, chunks=2)


def test_sources_of_a_plan_are_limited(base: KnowledgeBase) -> None:
    put_on_plan(base, max_sources=1)
    first = add_text(base, "One.")
    with pytest.raises(LimitReached) as refused:
        add_text(base, "Two.")
    assert str(refused.value) == (
        "A workspace on the plan Small has at most 1 source. Delete one first."
    )
    sources.delete_source(source=first, actor=SYSTEM)
    add_text(base, "Two.")


@override_settings(MAX_SOURCES=1)
def test_plan_may_allow_more_than_the_server(base: KnowledgeBase) -> None:
    put_on_plan(base, max_sources=2)
    add_text(base, "One.")
    add_text(base, "Two.")


def test_bytes_of_a_plan_are_limited(base: KnowledgeBase) -> None:
    put_on_plan(base, max_knowledge_bytes=2 * 2**20)
    add_file(base, b"x" * 2**20)
    with pytest.raises(LimitReached) as refused:
        add_file(base, b"x" * (2**20 + 1))
    assert str(refused.value) == (
        "A workspace on the plan Small keeps at most 2 MiB of files. Delete a source first."
    )
    add_file(base, b"x" * 2**20)


def test_source_with_too_many_chunks_fails(base: KnowledgeBase) -> None:
    source = index(add_text(base, "We ship on Mondays."))
    put_on_plan(base, max_chunks=10)
    sources.update_source(source=source, actor=SYSTEM, changes={"text": LONG_TEXT})
    index(source)
    assert source.status == "failed"
    assert source.status_reason == (
        "A workspace on the plan Small has at most 10 passages, and would have more with this "
        "source. Delete others first."
    )
    assert [chunk.text for chunk in live_chunks(source)] == ["We ship on Mondays."]
    assert Chunk.objects.filter(knowledge_base=base).count() == 1


def test_chunks_of_all_sources_are_limited(base: KnowledgeBase) -> None:
    put_on_plan(base, max_chunks=2)
    first, second = (index(add_text(base, f"Text {number}.")) for number in range(2))
    third = index(add_text(base, "Text 2."))
    assert (first.status, second.status, third.status) == ("ready", "ready", "failed")
    sources.delete_source(source=first, actor=SYSTEM)
    assert index(sources.reindex_source(source=third, actor=SYSTEM)).status == "ready"


def test_source_that_does_not_grow_is_indexed_above_the_limit(base: KnowledgeBase) -> None:
    source = index(add_text(base, LONG_TEXT))
    put_on_plan(base, max_chunks=1)
    assert index(sources.reindex_source(source=source, actor=SYSTEM)).status == "ready"


@override_settings(MAX_CHUNKS=1)
def test_two_sources_never_take_the_same_room(live_team: Team) -> None:
    base = make_knowledge_base(live_team.workspace)
    first, second = (add_text(base, f"Text {number}.") for number in range(2))
    Source.objects.filter(knowledge_base=base).update(due_at=None)

    def take() -> None:
        require_room(first, chunks=1)
        Source.objects.filter(id=first.id).update(chunks=1)

    result = after(take, lambda: require_room(second, chunks=1))
    assert type(result).__name__ == "IndexingFailed"
