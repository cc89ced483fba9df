"""Searching knowledge bases: live passages of these bases only, by words and by vectors."""

from __future__ import annotations

import pytest

from apps.audit.services import SYSTEM
from apps.knowledge.models import Chunk, KnowledgeBase, Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.pipeline.model_changes import change_embedding_models
from apps.knowledge.search.results import Passage
from apps.knowledge.search.services import SearchResult, search
from apps.knowledge.services import sources as services
from apps.knowledge.services.bases import delete_knowledge_base, update_knowledge_base
from tests.factories import Team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base

TEXTS = {
    "Shipping": "We ship on Mondays and Thursdays, with a tracking number.",
    "Returns": "You can return boots within 30 days if they have not been worn outside.",
    "Größen": "Die Größe von Wanderschuhen fällt klein aus: nimm eine Nummer mehr.",
    "配送": "送料は全国一律五百円です。離島への配送は別料金となります。",
}


@pytest.fixture(autouse=True)
def no_other_sources(db: None) -> None:
    Source.objects.update(due_at=None)


@pytest.fixture
def base(team: Team) -> KnowledgeBase:
    base = make_knowledge_base(team.workspace)
    for title, text in TEXTS.items():
        services.add_text(base=base, title=title, text=text, actor=SYSTEM)
    index_sources(max_seconds=60)
    return base


def find(base: KnowledgeBase, question: str, max_tokens: int = 1000) -> list[Passage]:
    base.refresh_from_db()
    return search([base], question, max_passages=5, max_tokens=max_tokens).passages


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("When do you ship?", "Shipping"),
        ("Can I return my boots?", "Returns"),
        ("Welche Größe haben Wanderschuhe?", "Größen"),
        ("grosse wanderschuh", "Größen"),
        ("離島の送料", "配送"),
        ("tracking numbers", "Shipping"),
    ],
)
def test_best_passage_is_first(base: KnowledgeBase, question: str, title: str) -> None:
    first = find(base, question)[0]
    assert (first.title, first.text) == (title, TEXTS[title])
    assert first.matched_by == ("words", "vectors")


def test_passage_without_common_words_is_found_by_vectors(base: KnowledgeBase) -> None:
    found = find(base, "shipment")
    assert {passage.matched_by for passage in found} <= {("vectors",), ("words", "vectors")}


@pytest.mark.parametrize("question", ["", "…", "\0", "' | !(x:* <-> \\", "a" * 100_000])
def test_odd_questions_are_searched(base: KnowledgeBase, question: str) -> None:
    assert isinstance(find(base, question), list)


def test_other_bases_are_not_searched(team: Team, base: KnowledgeBase) -> None:
    ours = make_knowledge_base(team.workspace, name="Empty")
    theirs = make_knowledge_base(team.other_workspace)
    assert (find(ours, "ship"), find(theirs, "ship")) == ([], [])


def test_base_of_another_workspace_is_not_found(team: Team, base: KnowledgeBase) -> None:
    theirs = make_knowledge_base(team.other_workspace)
    result = search([theirs, base], "ship", max_passages=5, max_tokens=1000)
    assert result == SearchResult([], is_found=False)


def test_deleted_and_disabled_are_not_found(base: KnowledgeBase) -> None:
    source = Source.objects.get(knowledge_base=base, title="Shipping")
    Chunk.objects.filter(generation_id=source.live_generation_id).update(is_enabled=False)
    assert "Shipping" not in [passage.title for passage in find(base, "When do you ship?")]
    services.delete_source(
        source=Source.objects.get(knowledge_base=base, title="Returns"), actor=SYSTEM
    )
    assert "Returns" not in [passage.title for passage in find(base, "return boots")]
    delete_knowledge_base(base=base, actor=SYSTEM)
    assert find(base, "Größe") == []


def test_new_generation_is_found_once_it_is_whole(base: KnowledgeBase) -> None:
    source = Source.objects.get(knowledge_base=base, title="Shipping")
    services.update_source(source=source, actor=SYSTEM, changes={"text": "We ship on Fridays."})
    assert find(base, "When do you ship?")[0].text == TEXTS["Shipping"]
    index_sources(max_seconds=60)
    found = [passage.text for passage in find(base, "When do you ship?")]
    assert found[0] == "We ship on Fridays."
    assert TEXTS["Shipping"] not in found


def test_base_with_a_new_embedding_model_is_found(base: KnowledgeBase) -> None:
    update_knowledge_base(
        base=base, name=base.name, embedding_model=make_embedding_model(), actor=SYSTEM
    )
    assert find(base, "When do you ship?")[0].matched_by == ("words", "vectors")
    change_embedding_models(max_seconds=60)
    assert find(base, "When do you ship?")[0].matched_by == ("words", "vectors")


def test_base_whose_model_has_changed_since_it_was_read_is_found(base: KnowledgeBase) -> None:
    base.refresh_from_db()
    update_knowledge_base(
        base=KnowledgeBase.objects.get(id=base.id),
        name=base.name,
        embedding_model=make_embedding_model(),
        actor=SYSTEM,
    )
    change_embedding_models(max_seconds=60)
    result = search([base], "When do you ship?", max_passages=5, max_tokens=1000)
    assert result.passages[0].matched_by == ("words", "vectors")


def test_bases_with_different_models_are_searched_together(team: Team, base: KnowledgeBase) -> None:
    other = make_knowledge_base(team.workspace, embedding_model=make_embedding_model())
    services.add_text(base=other, title="Hours", text="We open at nine.", actor=SYSTEM)
    index_sources(max_seconds=60)
    found = search([base, other], "When do you open?", max_passages=5, max_tokens=1000)
    assert found.passages[0].title == "Hours"


@pytest.mark.parametrize("question", ["When do you ship?", "Welche Größe haben Wanderschuhe?"])
def test_answered_question_is_found(base: KnowledgeBase, question: str) -> None:
    assert search([base], question, max_passages=5, max_tokens=1000).is_found


@pytest.mark.parametrize("question", ["Thank you!", "ok"])
def test_small_talk_is_not_found(base: KnowledgeBase, question: str) -> None:
    result = search([base], question, max_passages=5, max_tokens=1000)
    assert result.passages
    assert not result.is_found


def test_short_question_is_searched_with_what_was_said_before(base: KnowledgeBase) -> None:
    def first(context: str) -> str:
        result = search([base], "And how long?", context=context, max_passages=1, max_tokens=1000)
        return result.passages[0].title

    assert first("Can I return my boots if worn outside?") == "Returns"
    assert first("Do you ship with a tracking number?") == "Shipping"


def test_budget_is_kept(base: KnowledgeBase) -> None:
    found = find(base, "ship boots Wanderschuhe", max_tokens=40)
    assert 0 < sum(passage.tokens for passage in found) <= 40
    assert find(base, "ship", max_tokens=1) == []
