from __future__ import annotations

import pytest

from apps.chatbots.models import Chatbot
from tests.factories import Team, grant_credits, make_chatbot, make_language_model


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    grant_credits(team.workspace, 100)
    return make_chatbot(
        team.workspace, make_language_model(credits_per_reply=1), lead_capture="detect"
    )
