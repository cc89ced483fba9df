"""Callers and chatbots that this process has just looked up, kept for less than a second.

A change to a key, a chatbot or a language model is heeded at once: see `apps.infrastructure.redis.cache_invalidation`.
Requests that ask for the same at the same moment share one look-up. Refusals are not kept.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from dataclasses import dataclass

from django.db.models.signals import post_delete, post_save

from apps.api_keys.models import ApiKey
from apps.api_keys.queries import hash_secret, parse_bearer_token
from apps.api_kit.callers import Caller
from apps.chat.engine.access import authenticate
from apps.chatbots.models import Chatbot, LanguageModel
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.cache_invalidation import (
    MAX_AGE_SECONDS,
    invalidate_on_commit,
    on_invalidate,
)

MAX_LOOKUPS = 10_000

Found = tuple[Caller, Chatbot]


@dataclass(frozen=True, slots=True)
class _Lookup:
    began: float
    found: asyncio.Task[Found]


_lookups: dict[tuple[str, str], _Lookup] = {}


async def authenticate_cached(authorization: str | None, chatbot_id: str) -> Found:
    """As `access.authenticate`, from memory where that is fresh. What it returns is not changed
    by anyone. Raises as that does."""
    key = (hash_secret(parse_bearer_token(authorization)), chatbot_id)
    look_up = _lookups.get(key)
    if look_up is None or time.monotonic() - look_up.began > MAX_AGE_SECONDS:
        look_up = _lookups[key] = _start_lookup(authorization, chatbot_id)
        if len(_lookups) > MAX_LOOKUPS:
            _lookups.pop(next(iter(_lookups), key), None)
    try:
        return await asyncio.shield(look_up.found)
    except Exception:
        if _lookups.get(key) is look_up:
            _lookups.pop(key, None)
        raise


def _start_lookup(authorization: str | None, chatbot_id: str) -> _Lookup:
    step = in_thread(authenticate, authorization, chatbot_id)
    # A fresh context: others wait for it too, and the request that began it may leave.
    task = asyncio.get_running_loop().create_task(step, context=contextvars.Context())
    return _Lookup(time.monotonic(), task)


def clear_on_changes() -> None:
    """Forget what is kept whenever one of its tables changes, and tell other processes so."""
    on_invalidate(_lookups.clear)
    for model in (ApiKey, Chatbot, LanguageModel):
        post_save.connect(_tell, sender=model, dispatch_uid="known")
        post_delete.connect(_tell, sender=model, dispatch_uid="known")


def _tell(**_: object) -> None:
    invalidate_on_commit()
