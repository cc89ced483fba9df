"""The rate limit of a chatbot, over all its callers, and of its workspace, over all its chatbots.

A request with an idempotency key counts under that key: its retries within the window take no
further slot.
"""

import hashlib

from django.conf import settings

from apps.chatbots.models import Chatbot
from apps.core.errors import TooManyRequests
from apps.infrastructure.redis import rate_limit
from apps.infrastructure.redis.rate_limit import RateLimit, Window


async def admit(chatbot: Chatbot, *, idempotency_key: str | None = None) -> Window:
    """Take a slot in the chatbot's window, if one is free and its workspace may start a turn.

    Returns the chatbot's window. One call of Redis decides both.
    """
    workspace = RateLimit(f"turns:{chatbot.workspace_id}", settings.MAX_TURNS_PER_MINUTE, 60)
    limit = _limit(chatbot, ceiling=workspace)
    return await rate_limit.admit(limit, request_key=_request_key(idempotency_key))


async def peek(chatbot: Chatbot) -> Window:
    """The state of the chatbot's window, without taking a slot."""
    return await rate_limit.peek(_limit(chatbot))


def refusal(window: Window) -> TooManyRequests:
    """The error for a request that `admit` refused."""
    if not window.is_at_ceiling:
        return TooManyRequests(window.retry_after)
    message = f"This workspace has started {settings.MAX_TURNS_PER_MINUTE:,} turns in a minute, "
    return TooManyRequests(window.retry_after, message + "its limit. Please wait.")


def _limit(chatbot: Chatbot, ceiling: RateLimit | None = None) -> RateLimit:
    return RateLimit(
        chatbot.id, chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds, ceiling
    )


def _request_key(idempotency_key: str | None) -> str | None:
    if idempotency_key is None:
        return None
    return "k" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
