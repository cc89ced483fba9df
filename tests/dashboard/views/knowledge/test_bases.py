"""Knowledge bases: listed, created, renamed, given another embedding model and deleted."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.test import Client

from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot
from apps.knowledge.models import KnowledgeBase, Source
from tests.dashboard.page_client import (
    clients_by_role,
    login,
    page_path,
    shown_messages,
    table_cells,
    visible_text,
)
from tests.factories import Team
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge, make_knowledge_base


@pytest.fixture
def source(chatbot: Chatbot) -> Source:
    """A source in the base Shop of the chatbot Support."""
    return make_knowledge(chatbot, text="Boots")


def test_list_shows_chatbots_and_figures(
    team: Team, alice: Client, source: Source, settings: LazySettings
) -> None:
    make_knowledge_base(team.workspace, "Empty")
    settings.MAX_SOURCES, settings.MAX_CHUNKS, settings.MAX_KNOWLEDGE_BYTES = 10, 2000, 2**20
    html = alice.get(page_path(team.workspace, "knowledge")).content.decode()
    assert table_cells(html) == [
        ["Empty", "No chatbots", "0", "0", "sandbox/embed", "Empty", ""],
        ["Shop", "Support", "1", "1", "sandbox/embed", "Ready", ""],
    ]
    usage = "Sources 1 of 10 Passages 1 of 2,000 Files 5 bytes of 1.0 MB"
    assert usage in visible_text(html).replace("\xa0", " ")
    Source.objects.filter(id=source.id).update(status="failed", status_reason="No.")
    html = alice.get(page_path(team.workspace, "knowledge")).content.decode()
    assert table_cells(html)[1][5] == "1 failed"


def test_base_is_created_and_its_name_checked(
    team: Team, alice: Client, settings: LazySettings
) -> None:
    path = page_path(team.workspace, "knowledge")
    assert "No knowledge bases yet" in visible_text(alice.get(path).content.decode())
    model = make_embedding_model()
    fields = {"name": "Shop", "embedding_model": model.id}
    response = alice.post(f"{path}/create", fields)
    base = KnowledgeBase.objects.get(workspace=team.workspace)
    assert (base.name, base.embedding_model) == ("Shop", model)
    assert response["Location"] == f"{path}/{base.id}"
    for name in ("", "x" * 121, "a\u202eb"):
        response = alice.post(f"{path}/create", fields | {"name": name})
        assert response.status_code == 422
        assert list(response.context["form"].errors) == ["name"]
    settings.MAX_KNOWLEDGE_BASES = 1
    response = alice.post(f"{path}/create", fields)
    assert response.context["form"].errors == {
        "name": ["A workspace has at most 1 knowledge bases. Delete one first."]
    }


def test_base_is_renamed_and_deleted(team: Team, alice: Client, source: Source) -> None:
    path = page_path(team.workspace, f"knowledge/{source.knowledge_base_id}")
    response = alice.post(f"{path}/rename", {"name": "Store"}, follow=True)
    assert shown_messages(response) == ["Changes saved."]
    assert "Support" in visible_text(response.content.decode())
    assert alice.post(f"{path}/rename", {"name": ""}).status_code == 422
    response = alice.post(f"{path}/delete", {"name": "Shop"}, follow=True)
    assert shown_messages(response) == ["The name doesn't match. Store was not deleted."]
    response = alice.post(f"{path}/delete", {"name": "Store"}, follow=True)
    assert shown_messages(response) == ["Store deleted."]
    assert alice.get(path).status_code == 404
    entries = AuditEntry.objects.filter(target_id=source.knowledge_base_id, actor_kind="person")
    assert [each.action for each in entries.order_by("created_at", "id")] == [
        "knowledge_base.renamed",
        "knowledge_base.deleted",
    ]


def test_change_of_model_shows_price_progress_and_error(
    team: Team, alice: Client, source: Source
) -> None:
    base = source.knowledge_base
    Source.objects.filter(id=source.id).update(tokens=98_120, chunks=340)
    model = make_embedding_model(credits_per_1k_tokens=2)
    path = page_path(team.workspace, f"knowledge/{base.id}")

    def page() -> str:
        return visible_text(alice.get(f"{path}/settings").content.decode())

    assert f"{model.name} · 2 credits per 1,000 tokens, about 197 credits in all" in page()
    assert "sandbox/embed · free" in page()

    def change(model_id: str) -> list[str]:
        fields = {"embedding_model": model_id}
        return shown_messages(alice.post(f"{path}/embedding-model", fields, follow=True))

    assert change(model.id) == [f"Changing to {model.name} in the background."]
    text = f"Changing to {model.name} in the background: 0 of 340 passages. Until then searches use"
    assert text in page()
    KnowledgeBase.objects.filter(id=base.id).update(embedding_error="It does not answer.")
    html = visible_text(alice.get(path).content.decode())
    assert f"It does not answer. The change to {model.name} does not go on." in html
    assert "Try again" in html
    assert change(base.embedding_model_id) == [f"Shop keeps {base.embedding_model.name}."]
    base.refresh_from_db()
    assert (base.next_embedding_model, base.embedding_error) == (None, "")
    response = alice.post(f"{path}/embedding-model", {"embedding_model": "nothing"})
    assert response.status_code == 404


def test_viewer_gets_no_forms(team: Team, source: Source) -> None:
    viewer = clients_by_role(team)["viewer"]
    root = page_path(team.workspace, "knowledge")
    base, own = f"{root}/{source.knowledge_base_id}", f"{root}/sources/{source.id}"
    paths = [root, base, f"{base}/settings", f"{base}/search", own, f"{own}/pages"]
    with_forms = [path for path in paths if b'method="post"' in viewer.get(path).content]
    assert with_forms == []


def test_foreign_rows_are_absent(team: Team, source: Source) -> None:
    """Charlie asks in his own workspace for what is in Alice's."""
    charlie = login(team.charlie)
    root = page_path(team.other_workspace, "knowledge")
    base, chunk = f"{root}/{source.knowledge_base_id}", source.live_generation_id
    own = f"{root}/sources/{source.id}"
    pages = [base, f"{base}/settings", f"{base}/search", f"{base}/add", own]
    pages += [f"{own}/pages", f"{own}/settings", f"{own}/file"]
    actions = [f"{base}/{name}" for name in ("rename", "embedding-model", "reindex", "delete")]
    actions += [f"{base}/files", f"{base}/add", f"{own}/settings", f"{root}/chunks/{chunk}/edit"]
    actions += [f"{own}/{name}" for name in ("reindex", "cancel", "delete")]
    assert {path: charlie.get(path).status_code for path in pages} == dict.fromkeys(pages, 404)
    found = {path: charlie.post(path, {"name": "Shop"}).status_code for path in actions}
    assert found == dict.fromkeys(actions, 404)
    assert Source.objects.get(id=source.id).deleted_at is None
