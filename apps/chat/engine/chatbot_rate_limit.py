"""The rate limit of a chatbot, over all its callers, and what its workspace may start and send.

A request with an idempotency key counts under that key: its retries within the window take no
further slot.
"""

import hashlib

from django.conf import settings

from apps.chatbots.models import Chatbot
from apps.core.errors import TooManyRequests
from apps.infrastructure.redis import rate_limit
from apps.infrastructure.redis.rate_limit import RateLimit, Window

_AT_CEILING = {
    1: "This workspace has started {:,} turns in a minute, its limit. Please wait.",
    2: "This workspace has sent {:,} characters in an hour, its limit. Please wait.",
}


async def admit(
    chatbot: Chatbot, *, characters: int = 1, idempotency_key: str | None = None
) -> Window:
    """Take a slot in the chatbot's window, if one is free and its workspace may go on.

    `characters`: the length of the message, which will be stored. Returns the chatbot's window.
    One call of Redis decides all of it.
    """
    workspace_id = chatbot.workspace_id
    turns, length = settings.MAX_TURNS_PER_MINUTE, settings.MAX_CHAT_CHARACTERS_PER_HOUR
    limit = _limit(
        chatbot,
        RateLimit(f"turns:{workspace_id}", turns, 60),
        RateLimit(f"characters:{workspace_id}", length, 3600, cost=characters),
    )
    return await rate_limit.admit(limit, request_key=_request_key(idempotency_key))


async def peek(chatbot: Chatbot) -> Window:
    """The state of the chatbot's window, without taking a slot."""
    return await rate_limit.peek(_limit(chatbot))


def refusal(window: Window) -> TooManyRequests:
    """The error for a request that `admit` refused."""
    if not window.at_ceiling:
        return TooManyRequests(window.retry_after)
    limits = {1: settings.MAX_TURNS_PER_MINUTE, 2: settings.MAX_CHAT_CHARACTERS_PER_HOUR}
    message = _AT_CEILING[window.at_ceiling].format(limits[window.at_ceiling])
    return TooManyRequests(window.retry_after, message)


def _limit(chatbot: Chatbot, *ceilings: RateLimit) -> RateLimit:
    return RateLimit(
        chatbot.id, chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds, ceilings
    )


def _request_key(idempotency_key: str | None) -> str | None:
    if idempotency_key is None:
        return None
    return "k" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
