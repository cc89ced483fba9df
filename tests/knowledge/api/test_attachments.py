"""The knowledge bases of a chatbot, over REST."""

from __future__ import annotations

from typing import Any

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.chatbots.services import delete_chatbot
from apps.core.ids import new_id
from apps.knowledge.models import ChatbotKnowledgeBase
from tests.api_kit.rest_client import Api
from tests.factories import Team, make_chatbot
from tests.knowledge.knowledge_factory import make_knowledge_base


def put(api: Api, chatbot_id: str, *ids: str, status: int = 200) -> Any:
    body = {"knowledgeBaseIds": list(ids)}
    return api("PUT", f"/chatbots/{chatbot_id}/knowledge-bases", body, status=status)


def test_put_replaces_the_knowledge_bases(api: Api, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    shop, handbook = (make_knowledge_base(team.workspace, name) for name in ("Shop", "Handbook"))
    path = f"/chatbots/{chatbot.id}/knowledge-bases"
    assert api("GET", path) == {"knowledgeBases": []}
    both = put(api, chatbot.id, shop.id, handbook.id, shop.id)
    assert [base["name"] for base in both["knowledgeBases"]] == ["Handbook", "Shop"]
    assert both == api("GET", path)
    assert put(api, chatbot.id, shop.id)["knowledgeBases"] == [both["knowledgeBases"][1]]
    assert put(api, chatbot.id, shop.id) == api("GET", path)
    assert put(api, chatbot.id) == {"knowledgeBases": []}
    entries = AuditEntry.objects.filter(target_id=chatbot.id).order_by("created_at", "id")
    changes = [entry.details for entry in entries.exclude(action="chatbot.created")]
    ids = [sorted([shop.id, handbook.id]), [shop.id], []]
    assert changes == [{"knowledge_bases": each} for each in ids]


def test_foreign_deleted_and_absent_bases_are_refused_alike(api: Api, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    own, gone = make_knowledge_base(team.workspace), make_knowledge_base(team.workspace, "Gone")
    api("DELETE", f"/knowledge-bases/{gone.id}")
    foreign = make_knowledge_base(team.other_workspace)
    errors = [
        put(api, chatbot.id, own.id, each, status=400) for each in (foreign.id, gone.id, new_id())
    ]
    sentence = {"knowledgeBaseIds": ["There is no such knowledge base to attach."]}
    assert [(error["code"], error["details"]) for error in errors] == [
        ("VALIDATION_ERROR", sentence)
    ] * 3
    assert not ChatbotKnowledgeBase.objects.exists()


def test_at_most_20_are_attached(api: Api, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    error = put(api, chatbot.id, *(new_id() for _ in range(21)), status=400)
    assert error["code"] == "VALIDATION_ERROR"


def test_foreign_and_deleted_chatbots_are_not_found(api: Api, team: Team) -> None:
    base = make_knowledge_base(team.workspace)
    deleted = make_chatbot(team.workspace)
    delete_chatbot(chatbot=deleted, actor=SYSTEM)
    for chatbot in (make_chatbot(team.other_workspace), deleted):
        assert put(api, chatbot.id, base.id, status=404)["code"] == "CHATBOT_NOT_FOUND"


def test_deleted_base_is_detached(api: Api, team: Team) -> None:
    chatbot, base = make_chatbot(team.workspace), make_knowledge_base(team.workspace)
    put(api, chatbot.id, base.id)
    api("DELETE", f"/knowledge-bases/{base.id}")
    assert api("GET", f"/chatbots/{chatbot.id}/knowledge-bases") == {"knowledgeBases": []}
