"""The Knowledge tab of a chatbot."""

from __future__ import annotations

from typing import Any

from django.test import Client

from apps.chatbots.models import Chatbot
from apps.knowledge.queries import knowledge_bases_of
from tests.dashboard.page_client import login, page_path, shown_messages, visible_text
from tests.factories import Team, make_chatbot, make_language_model
from tests.knowledge.knowledge_factory import make_knowledge_base

FIELDS = {
    "knowledge_mode": "only",
    "knowledge_passages": "7",
    "knowledge_tokens": "2500",
    "knowledge_not_found_reply": "I don't know.",
}


def attached(chatbot: Chatbot) -> set[str]:
    return {base.name for base in knowledge_bases_of(chatbot)}


def test_bases_are_attached_and_settings_saved(team: Team, bob: Client) -> None:
    chatbot = make_chatbot(team.workspace, make_language_model(credits_per_1k_input=3))
    shop, _handbook = (make_knowledge_base(team.workspace, name) for name in ("Shop", "Handbook"))
    path = page_path(team.workspace, f"chatbots/{chatbot.id}/knowledge")
    shown = visible_text(bob.get(path).content.decode())
    assert "1,500 tokens of passages cost at most 5 credits a response" in shown
    response = bob.post(f"{path}/save", {**FIELDS, "bases": [shop.id]}, follow=True)
    assert shown_messages(response) == ["Changes saved."]
    chatbot.refresh_from_db()
    assert {name: str(getattr(chatbot, name)) for name in FIELDS} == FIELDS
    assert (attached(chatbot), chatbot.version) == ({"Shop"}, 2)
    html = response.content.decode()
    assert html.count('name="bases"') == 2
    assert f'value="{shop.id}" data-says="Knowledge bases" checked' in html
    bob.post(f"{path}/save", FIELDS)
    assert attached(chatbot) == set()


def test_invalid_settings_save_nothing(team: Team, bob: Client, chatbot: Chatbot) -> None:
    shop = make_knowledge_base(team.workspace)
    foreign = make_knowledge_base(team.other_workspace)
    path = page_path(team.workspace, f"chatbots/{chatbot.id}/knowledge")

    def errors(**fields: Any) -> list[str]:
        response = bob.post(f"{path}/save", {**FIELDS, "bases": [shop.id], **fields})
        assert response.status_code == 422
        return list(response.context["form"].errors)

    assert errors(bases=[foreign.id]) == ["bases"]
    assert errors(knowledge_passages="21") == ["knowledge_passages"]
    assert errors(knowledge_tokens="99") == ["knowledge_tokens"]
    assert errors(knowledge_mode="maybe") == ["knowledge_mode"]
    assert errors(knowledge_not_found_reply="") == ["knowledge_not_found_reply"]
    chatbot.refresh_from_db()
    assert (attached(chatbot), chatbot.knowledge_mode, chatbot.version) == (set(), "on", 1)
    theirs = page_path(team.other_workspace, f"chatbots/{chatbot.id}/knowledge")
    charlie = login(team.charlie)
    assert charlie.get(theirs).status_code == 404
    assert charlie.post(f"{theirs}/save", FIELDS).status_code == 404
