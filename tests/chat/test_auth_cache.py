"""The cache of authenticated keys and chatbots, and its invalidation."""

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
from apps.chat.engine import chatbot_rate_limit as rate_limit
from apps.chat.engine.access import Access
from apps.chat.engine.auth_cache import authenticate_cached
from apps.chatbots.errors import ChatbotNotFound
from apps.chatbots.models import Chatbot
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.cache_invalidation import (
    MAX_AGE_SECONDS,
    VERSION_KEY,
    check_version,
    current_version,
    is_stale,
)
from apps.infrastructure.redis.clients import close_redis
from tests.factories import Team, make_api_key, make_chatbot


@dataclass
class CachedAccess:
    """An API key and a chatbot, authenticated through the cache."""

    team: Team
    chatbot: Chatbot
    secret: str

    async def authenticate(self) -> Access:
        return await authenticate_cached(
            f"Bearer {self.secret}", self.chatbot.id, client=lambda: "203.0.113.9"
        )

    async def update_unnoticed(self, **fields: Any) -> None:
        """Update the chatbot as another process does, without invalidating any cache."""
        await in_thread(Chatbot.objects.filter(pk=self.chatbot.pk).update, **fields)


@pytest.fixture
async def cached(committed: None, live_team: Team) -> AsyncIterator[CachedAccess]:
    chatbot = await in_thread(make_chatbot, live_team.workspace)
    yield CachedAccess(live_team, chatbot, await in_thread(make_api_key, live_team.workspace))
    await close_redis()


def redis_version() -> int:
    """The cache version in Redis."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return int(client.get(VERSION_KEY) or 0)


async def test_recent_lookup_is_cached(cached: CachedAccess) -> None:
    access = await cached.authenticate()
    await cached.update_unnoticed(name="Another")
    assert await cached.authenticate() == access
    assert (access.workspace_id, access.chatbot.name) == (cached.team.workspace.id, "Bot")


async def test_concurrent_requests_share_one_lookup(cached: CachedAccess) -> None:
    accesses = await asyncio.gather(*(cached.authenticate() for _ in range(10)))
    assert len({id(access.chatbot) for access in accesses}) == 1


async def test_cancelled_request_does_not_cancel_the_lookup(cached: CachedAccess) -> None:
    first, second = (asyncio.create_task(cached.authenticate()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).chatbot == cached.chatbot


async def test_revoked_key_is_rejected_immediately(cached: CachedAccess) -> None:
    await cached.authenticate()
    key = await in_thread(ApiKey.objects.get, workspace=cached.team.workspace)
    await in_thread(revoke_key, key=key)
    with pytest.raises(InvalidApiKey):
        await cached.authenticate()


async def test_refusals_are_not_cached(cached: CachedAccess) -> None:
    await cached.update_unnoticed(is_active=False)
    with pytest.raises(ChatbotNotFound):
        await cached.authenticate()
    await cached.update_unnoticed(is_active=True)
    assert (await cached.authenticate()).chatbot == cached.chatbot


@pytest.mark.parametrize("changed_row", ["chatbot", "model"])
async def test_saved_change_clears_this_and_other_caches(
    cached: CachedAccess, changed_row: str
) -> None:
    await cached.authenticate()
    before = await in_thread(redis_version)
    changed = cached.chatbot if changed_row == "chatbot" else cached.chatbot.language_model
    changed.name = f"renamed {changed.pk}"
    await in_thread(changed.save)
    chatbot = (await cached.authenticate()).chatbot
    assert changed.name in (chatbot.name, chatbot.language_model.name)
    assert await in_thread(redis_version) == before + 1


async def test_rate_limit_reports_changes_of_other_processes(cached: CachedAccess) -> None:
    await rate_limit.peek(cached.chatbot)
    await cached.authenticate()
    await cached.update_unnoticed(name="Another")
    version = current_version()
    await rate_limit.peek(cached.chatbot)
    assert not is_stale(version)
    await in_thread(_increment_redis_version)
    await rate_limit.admit(cached.chatbot)
    assert is_stale(version)
    assert (await cached.authenticate()).chatbot.name == "Another"


def _increment_redis_version() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.incr(VERSION_KEY)


async def test_lookup_expires_without_redis(cached: CachedAccess) -> None:
    await cached.authenticate()
    await cached.update_unnoticed(name="Another")
    await asyncio.sleep(MAX_AGE_SECONDS)
    assert (await cached.authenticate()).chatbot.name == "Another"


def test_rolled_back_change_is_not_published(team: Team) -> None:
    before = redis_version()
    make_chatbot(team.workspace)
    assert redis_version() == before


def test_version_is_stale_once_another_is_seen() -> None:
    check_version(-1)
    version = current_version()
    stale = []
    for seen in (-1, -2, -2, -3):
        check_version(seen)
        stale.append(is_stale(version))
        version = current_version()
    assert stale == [False, True, False, True]


def test_change_is_committed_while_redis_is_down(live_team: Team) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        chatbot = make_chatbot(live_team.workspace)
    assert Chatbot.objects.filter(pk=chatbot.pk).count() == 1
