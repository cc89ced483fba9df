"""The rate limit of a chatbot, over all its callers.

A request with an idempotency key counts under that key: its retries within the window take no
further slot.
"""

import hashlib

from apps.chatbots.models import Chatbot
from apps.infrastructure.redis import rate_limit
from apps.infrastructure.redis.rate_limit import RateLimit, Window


async def admit(chatbot: Chatbot, *, idempotency_key: str | None = None) -> Window:
    """Take a slot in the chatbot's window, if one is free."""
    return await rate_limit.admit(_limit(chatbot), request_key=_request_key(idempotency_key))


async def peek(chatbot: Chatbot) -> Window:
    """The state of the chatbot's window, without taking a slot."""
    return await rate_limit.peek(_limit(chatbot))


def _limit(chatbot: Chatbot) -> RateLimit:
    return RateLimit(chatbot.id, chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds)


def _request_key(idempotency_key: str | None) -> str | None:
    if idempotency_key is None:
        return None
    return "k" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
