"""Fixtures for turns that are opened and settled through the asynchronous connection pool."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from apps.chatbots.models import Chatbot
from apps.infrastructure.postgres.pool import close_pool
from apps.infrastructure.postgres.threads import in_thread
from tests.factories import grant_credits, make_chatbot, make_language_model, make_workspace


@pytest.fixture
async def connection_pool(committed: None) -> AsyncIterator[None]:
    """Closes the pool of the test's event loop afterwards."""
    yield
    await close_pool()


@pytest.fixture
async def funded_chatbot(connection_pool: None) -> Chatbot:
    """A chatbot in a workspace with 10 credits."""

    def make() -> Chatbot:
        chatbot = make_priced_chatbot()
        grant_credits(chatbot.workspace, 10)
        return chatbot

    return await in_thread(make)


def make_priced_chatbot() -> Chatbot:
    """A chatbot in a new workspace, at 1 credit a reply and 1 per 1,000 input tokens."""
    model = make_language_model(credits_per_reply=1, credits_per_1k_input=1)
    return make_chatbot(make_workspace(), model)
