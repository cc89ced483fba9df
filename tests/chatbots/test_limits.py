"""How many chatbots a workspace has, and how many versions of each are kept."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings

from apps.audit.services import SYSTEM
from apps.chatbots.models import ChatbotVersion
from apps.chatbots.services import delete_chatbot, update_chatbot
from apps.workspaces.errors import LimitReached
from tests.concurrent_sessions import at_once
from tests.factories import Team, make_chatbot, make_language_model


def test_chatbots_created_at_once_are_limited(live_team: Team) -> None:
    model = make_language_model()
    with override_settings(MAX_CHATBOTS=3):
        outcomes = at_once(lambda _: make_chatbot(live_team.workspace, model))
    assert outcomes == {"done": 3, "LimitReached": 9}


@override_settings(MAX_CHATBOTS=1)
def test_deleted_chatbot_makes_room(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    with pytest.raises(LimitReached, match="at most 1 chatbots"):
        make_chatbot(team.workspace)
    delete_chatbot(chatbot=chatbot, actor=SYSTEM)
    make_chatbot(team.workspace)


@override_settings(MAX_CHATBOTS=1)
def test_refused_chatbot_is_explained_on_the_page(client: Client, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    client.force_login(team.alice)
    body = {
        "name": "Another",
        "language_model": chatbot.language_model_id,
        "system_prompt": "Hello",
    }
    response = client.post(f"/w/{team.workspace.slug}/chatbots/new", body)
    assert response.status_code == 422
    assert "at most 1 chatbots" in response.content.decode()
    path = f"/w/{team.workspace.slug}/chatbots/{chatbot.id}"
    page = client.post(f"{path}/copy", follow=True)
    assert "at most 1 chatbots" in page.content.decode()


@override_settings(MAX_CHATBOT_VERSIONS=3)
def test_newest_versions_are_kept(team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    for number in range(5):
        update_chatbot(chatbot=chatbot, actor=SYSTEM, changes={"name": f"Bot {number}"})
    versions = ChatbotVersion.objects.filter(chatbot=chatbot).order_by("number")
    assert list(versions.values_list("number", flat=True)) == [4, 5, 6]
