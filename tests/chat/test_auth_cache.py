"""What a process keeps of keys and chatbots, and how it learns that they changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import override_settings

from apps.api_keys.errors import InvalidApiKey
from apps.api_keys.models import ApiKey
from apps.api_keys.services import revoke_key
from apps.api_kit.callers import Caller
from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine.auth_cache import authenticate_cached
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.cache_invalidation import (
    VERSION_KEY,
    check_version,
    current_version,
    is_stale,
)
from apps.infrastructure.redis.clients import close_redis
from tests.factories import Team, make_api_key, make_chatbot


@dataclass
class Known:
    """A key and a chatbot, and what is known of them."""

    team: Team
    chatbot: Chatbot
    secret: str

    async def ask(self) -> tuple[Caller, Chatbot]:
        return await authenticate_cached(f"Bearer {self.secret}", self.chatbot.id)

    async def unnoticed(self, **fields: Any) -> None:
        """Change the chatbot as another process does, before it is heard of."""
        await in_thread(Chatbot.objects.filter(pk=self.chatbot.pk).update, **fields)


@pytest.fixture
async def known(committed: None, live_team: Team) -> AsyncIterator[Known]:
    chatbot = await in_thread(make_chatbot, live_team.workspace)
    yield Known(live_team, chatbot, await in_thread(make_api_key, live_team.workspace))
    await close_redis()


def changes() -> int:
    """The changes that Redis has counted."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return int(client.get(VERSION_KEY) or 0)


async def test_what_was_looked_up_a_moment_ago_is_known(known: Known) -> None:
    caller, chatbot = await known.ask()
    await known.unnoticed(name="Another")
    assert await known.ask() == (caller, chatbot)
    assert (caller.workspace_id, chatbot.name) == (known.team.workspace.id, "Bot")


async def test_requests_at_once_share_a_look_up(known: Known) -> None:
    found = await asyncio.gather(*(known.ask() for _ in range(10)))
    assert len({id(chatbot) for _, chatbot in found}) == 1


async def test_request_that_leaves_does_not_take_the_look_up_with_it(known: Known) -> None:
    first, second = (asyncio.create_task(known.ask()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)[1] == known.chatbot


async def test_revoked_key_is_refused_at_once_where_it_was_revoked(known: Known) -> None:
    await known.ask()
    key = await in_thread(ApiKey.objects.get, workspace=known.team.workspace)
    await in_thread(revoke_key, key=key)
    with pytest.raises(InvalidApiKey):
        await known.ask()


async def test_refusal_is_not_kept(known: Known) -> None:
    await known.unnoticed(is_active=False)
    with pytest.raises(ChatbotNotFound):
        await known.ask()
    await known.unnoticed(is_active=True)
    assert (await known.ask())[1] == known.chatbot


@pytest.mark.parametrize("what", ["chatbot", "model"])
async def test_saved_change_is_known_at_once_and_told_to_others(known: Known, what: str) -> None:
    await known.ask()
    before = await in_thread(changes)
    changed = known.chatbot if what == "chatbot" else known.chatbot.language_model
    changed.name = f"renamed {changed.pk}"
    await in_thread(changed.save)
    chatbot = (await known.ask())[1]
    assert changed.name in (chatbot.name, chatbot.language_model.name)
    assert await in_thread(changes) == before + 1


async def test_change_of_another_process_is_heard_of_with_the_rate_limit(known: Known) -> None:
    await rate_limit.peek(known.chatbot)
    await known.ask()
    await known.unnoticed(name="Another")
    version = current_version()
    await rate_limit.peek(known.chatbot)
    assert not is_stale(version)
    await in_thread(_count_up)
    await rate_limit.admit(known.chatbot)
    assert is_stale(version)
    assert (await known.ask())[1].name == "Another"


def _count_up() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.incr(VERSION_KEY)


async def test_without_word_from_redis_what_is_known_grows_old(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known.ask()
    await known.unnoticed(name="Another")
    monkeypatch.setattr("apps.chat.engine.auth_cache.MAX_AGE_SECONDS", 0.0)
    assert (await known.ask())[1].name == "Another"


def test_change_that_is_rolled_back_is_not_told(team: Team) -> None:
    before = changes()
    make_chatbot(team.workspace)
    assert changes() == before


def test_version_is_stale_once_another_is_seen() -> None:
    check_version(-1)
    version = current_version()
    stale = []
    for seen in (-1, -2, -2, -3):
        check_version(seen)
        stale.append(is_stale(version))
        version = current_version()
    assert stale == [False, True, False, True]


def test_change_is_committed_though_redis_is_away(live_team: Team) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        chatbot = make_chatbot(live_team.workspace)
    assert Chatbot.objects.filter(pk=chatbot.pk).count() == 1
