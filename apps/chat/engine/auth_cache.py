"""Cache authenticated callers and chatbots in this process for less than a second.

A change to an API key, a chatbot or a language model clears the cache of every process (see
`infrastructure.redis.cache_invalidation`). Concurrent requests for the same pair share one lookup.
Refusals are not cached.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db.models.signals import post_delete, post_save

from apps.api_keys.attempts import limit_attempts
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import hash_secret, parse_bearer_token
from apps.chat.engine.access import Access, authenticate
from apps.chatbots.models import Chatbot, EmbeddingModel, LanguageModel
from apps.infrastructure.concurrency.background import start_background_task
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.cache_invalidation import (
    MAX_AGE_SECONDS,
    current_version,
    invalidate_on_commit,
    on_invalidate,
)
from apps.knowledge.models import KnowledgeBase

MAX_LOOKUPS = 10_000


@dataclass(frozen=True, slots=True)
class _Lookup:
    started_at: float
    task: asyncio.Task[Access]


_lookups: dict[tuple[str, str], _Lookup] = {}


async def authenticate_cached(
    authorization: str | None, chatbot_id: str, *, client: Callable[[], str]
) -> Access:
    """As `access.authenticate`, from the cache while it is fresh. Do not change the result.

    `client` tells whom a look-up is counted for. Raises as `limit_attempts`, too.
    """
    key = (hash_secret(parse_bearer_token(authorization)), chatbot_id)
    lookup = _lookups.get(key)
    if lookup is None or time.monotonic() - lookup.started_at > MAX_AGE_SECONDS:
        # A background task: others wait for it too, and this request may be cancelled.
        task = start_background_task(_authenticate(authorization, chatbot_id, client()))
        lookup = _lookups[key] = _Lookup(time.monotonic(), task)
        if len(_lookups) > MAX_LOOKUPS:
            _lookups.pop(next(iter(_lookups)), None)
    try:
        return await asyncio.shield(lookup.task)
    except Exception:
        if _lookups.get(key) is lookup:
            _lookups.pop(key, None)
        raise


async def _authenticate(authorization: str | None, chatbot_id: str, client: str) -> Access:
    version = current_version()
    with limit_attempts(client, authorization):
        access = await in_thread(authenticate, authorization, chatbot_id)
    return replace(access, cache_version=version)


def clear_on_changes() -> None:
    """Clear the cache, here and in other processes, when a row that it depends on is saved."""
    on_invalidate(_lookups.clear)
    for model in (ApiKey, Chatbot, LanguageModel, KnowledgeBase, EmbeddingModel):
        post_save.connect(_invalidate, sender=model, dispatch_uid="auth_cache")
        post_delete.connect(_invalidate, sender=model, dispatch_uid="auth_cache")


def _invalidate(**_: object) -> None:
    invalidate_on_commit()
