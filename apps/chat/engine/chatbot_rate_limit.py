"""A chatbot's rate limit: `core.rate_limit` with the chatbot's own numbers.

A request with an idempotency key counts under that key: its retries within the window take no
further place.
"""

from __future__ import annotations

import hashlib

from apps.chatbots.models import Chatbot
from apps.infrastructure.redis import rate_limit
from apps.infrastructure.redis.rate_limit import RateLimit, Window

__all__ = ["Window", "admit", "peek"]


async def admit(chatbot: Chatbot, *, idempotency_key: str | None = None) -> Window:
    """Take a place in the chatbot's window, if there is one."""
    return await rate_limit.admit(_limit(chatbot), request_key=_member(idempotency_key))


async def peek(chatbot: Chatbot) -> Window:
    """The chatbot's window as it is, taking no place."""
    return await rate_limit.peek(_limit(chatbot))


def _limit(chatbot: Chatbot) -> RateLimit:
    return RateLimit(chatbot.id, chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds)


def _member(idempotency_key: str | None) -> str | None:
    if idempotency_key is None:
        return None
    return "k" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
