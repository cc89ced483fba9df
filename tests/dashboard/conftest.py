from __future__ import annotations

import pytest
from django.test import Client

from apps.chatbots.models import Chatbot
from tests.dashboard.page_client import login
from tests.factories import Team, make_chatbot


@pytest.fixture
def alice(team: Team) -> Client:
    """A client of the workspace's owner."""
    return login(team.alice)


@pytest.fixture
def bob(team: Team) -> Client:
    """A client of a member."""
    return login(team.bob)


@pytest.fixture
def chatbot(team: Team) -> Chatbot:
    return make_chatbot(team.workspace, name="Support")
