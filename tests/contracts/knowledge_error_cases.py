"""Requests that cause the error codes of knowledge bases."""

from __future__ import annotations

import httpx

from apps.audit.services import SYSTEM
from apps.chatbots.models import Chatbot
from apps.core.ids import new_id
from apps.knowledge.models import Source
from apps.knowledge.queries import live_chunks
from apps.knowledge.services.attachments import set_chatbot_knowledge_bases
from apps.knowledge.services.sources import add_text
from tests.factories import Team, make_api_key, make_chatbot
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge, make_knowledge_base
from tests.web_processes import WebProcess, make_caller


def get_foreign_base(web: WebProcess, team: Team) -> httpx.Response:
    base = make_knowledge_base(team.other_workspace)
    return _request(web, team, "GET", f"knowledge-bases/{base.id}")


def get_foreign_source(web: WebProcess, team: Team) -> httpx.Response:
    source = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    return _request(web, team, "GET", f"sources/{source.id}")


def download_text(web: WebProcess, team: Team) -> httpx.Response:
    base = make_knowledge_base(team.workspace)
    source = add_text(base=base, title="Shipping", text="We ship on Mondays.", actor=SYSTEM)
    Source.objects.filter(id=source.id).update(due_at=None)
    return _request(web, team, "GET", f"sources/{source.id}/file")


def get_foreign_chunk(web: WebProcess, team: Team) -> httpx.Response:
    source = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    return _request(web, team, "GET", f"chunks/{live_chunks(source).get().id}")


def use_unknown_embedding_model(web: WebProcess, team: Team) -> httpx.Response:
    body = {"name": "Shop", "embeddingModelId": new_id()}
    return _request(web, team, "POST", "knowledge-bases", body)


def search_with_failing_model(web: WebProcess, team: Team) -> httpx.Response:
    model = make_embedding_model("sandbox/embed-fail")
    base = make_knowledge_base(team.workspace, embedding_model=model)
    return _request(web, team, "POST", f"knowledge-bases/{base.id}/search", {"query": "boots"})


def answer_from_failing_model(web: WebProcess, team: Team) -> httpx.Response:
    caller = make_caller(web, team.workspace, knowledge_mode="only")
    assert isinstance(caller.chatbot, Chatbot)
    model = make_embedding_model("sandbox/embed-fail")
    base = make_knowledge_base(team.workspace, embedding_model=model)
    set_chatbot_knowledge_bases(chatbot=caller.chatbot, base_ids=[base.id], actor=SYSTEM)
    return caller.post()


def _request(
    web: WebProcess, team: Team, method: str, path: str, body: object = None
) -> httpx.Response:
    key = make_api_key(team.workspace, ["read", "manage"])
    return httpx.request(
        method,
        f"{web.url}/api/v1/{path}",
        headers={"Authorization": f"Bearer {key}"},
        json=body,
    )
