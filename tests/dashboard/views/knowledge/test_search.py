"""The search test of a knowledge base."""

from __future__ import annotations

from django.test import Client

from apps.audit.services import SYSTEM
from apps.knowledge.models import Source
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.queries import live_chunks
from apps.knowledge.services.sources import add_text
from tests.dashboard.page_client import page_path, visible_text
from tests.factories import Team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base


def test_search_shows_passages_and_what_found_them(team: Team, bob: Client) -> None:
    base = make_knowledge_base(team.workspace)
    Source.objects.update(due_at=None)  # of other tests
    source = add_text(
        base=base, title="Shipping", text="# Delivery\n\nWe ship boots on Mondays.", actor=SYSTEM
    )
    index_sources(max_seconds=60)
    source.refresh_from_db()
    chunk = live_chunks(source)[0]
    path = page_path(team.workspace, f"knowledge/{base.id}/search")

    def results(question: str) -> str:
        response = bob.get(path, {"question": question})
        assert response.status_code == 200
        return response.content.decode()

    html = results("When do you ship boots?")
    shown = visible_text(html)
    assert "1 · Shipping › Delivery Words Meaning Score 0." in shown
    assert "We ship boots on Mondays." in shown
    assert f"knowledge/sources/{source.id}?chunk={chunk.id}#{chunk.id}" in html
    assert "This field is required." in visible_text(results(""))
    assert "Score" not in visible_text(results("x" * 2001))
    Source.objects.filter(id=source.id).update(live_generation_id=None)
    assert "Nothing was found" in visible_text(results("When do you ship boots?"))


def test_search_says_that_the_model_does_not_answer(team: Team, bob: Client) -> None:
    model = make_embedding_model("sandbox/embed-fail")
    base = make_knowledge_base(team.workspace, embedding_model=model)
    path = page_path(team.workspace, f"knowledge/{base.id}/search")
    shown = visible_text(bob.get(path, {"question": "Boots?"}).content.decode())
    assert f"The embedding model {model.name} does not answer. Try again shortly." in shown
