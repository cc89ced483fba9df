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
from apps.api_keys.queries import Caller, digest_of, secret_in
from apps.chat.engine.access import chatbot_for
from apps.chatbots.models import Chatbot, LanguageModel
from apps.infrastructure.postgres.threads import in_thread
from apps.infrastructure.redis.cache_invalidation import (
    MAX_AGE_SECONDS,
    invalidate_on_commit,
    on_invalidate,
)

_MOST = 10_000

Found = tuple[Caller, Chatbot]


@dataclass(frozen=True, slots=True)
class _LookUp:
    began: float
    found: asyncio.Task[Found]


_kept: dict[tuple[str, str], _LookUp] = {}


async def known_chatbot_for(authorization: str | None, chatbot_id: str) -> Found:
    """As `access.chatbot_for`, from memory where that is fresh. What it returns is not changed
    by anyone. Raises as that does."""
    key = (digest_of(secret_in(authorization)), chatbot_id)
    look_up = _kept.get(key)
    if look_up is None or time.monotonic() - look_up.began > MAX_AGE_SECONDS:
        look_up = _kept[key] = _look_up(authorization, chatbot_id)
        if len(_kept) > _MOST:
            _kept.pop(next(iter(_kept), key), None)
    try:
        return await asyncio.shield(look_up.found)
    except Exception:
        if _kept.get(key) is look_up:
            _kept.pop(key, None)
        raise


def _look_up(authorization: str | None, chatbot_id: str) -> _LookUp:
    step = in_thread(chatbot_for, authorization, chatbot_id)
    # A fresh context: others wait for it too, and the request that began it may leave.
    task = asyncio.get_running_loop().create_task(step, context=contextvars.Context())
    return _LookUp(time.monotonic(), task)


def heed_changes() -> None:
    """Forget what is kept whenever one of its tables changes, and tell other processes so."""
    on_invalidate(_kept.clear)
    for model in (ApiKey, Chatbot, LanguageModel):
        post_save.connect(_tell, sender=model, dispatch_uid="known")
        post_delete.connect(_tell, sender=model, dispatch_uid="known")


def _tell(**_: object) -> None:
    invalidate_on_commit()
