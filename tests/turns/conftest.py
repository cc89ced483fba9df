"""Fixtures for turns that are opened and settled through the asynchronous connection pool, and for
the state model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from copy import copy

import pytest
from django.test import override_settings

from apps.chatbots.models import Chatbot, KnowledgeMode
from apps.infrastructure.postgres.pool import close_pool
from apps.infrastructure.postgres.threads import in_thread
from tests.factories import grant_credits, make_chatbot, make_language_model, make_workspace
from tests.turns.turn_model import TurnModel
from tests.turns.turn_truths import PRICE


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


@pytest.fixture
def model_world(db: None) -> Iterator[None]:
    """A chatbot with credits for the state model, and the time-outs of production."""
    workspace = make_workspace()
    grant_credits(workspace, 1_000_000)
    TurnModel.chatbot = make_chatbot(workspace, make_language_model(credits_per_reply=PRICE))
    TurnModel.strict_chatbot = copy(TurnModel.chatbot)
    TurnModel.strict_chatbot.knowledge_mode = KnowledgeMode.ONLY
    with override_settings(
        TURN_HEARTBEAT_SECONDS=5.0,
        TURN_ABANDONED_AFTER_SECONDS=15.0,
        KNOWLEDGE_RETRIEVAL_SECONDS=3.0,
    ):
        yield


@pytest.fixture
def model(model_world: None) -> Iterator[TurnModel]:
    """The state model, for a test that calls its rules. Its end is checked, too."""
    model = TurnModel()
    yield model
    model.teardown()
