"""A chatbot's rate limit: never more than N requests in any W seconds, over all processes.

Redis keeps the moments of the requests that it admitted in the last window. One script, so one
atomic step by one clock, forgets the old ones, counts, and admits or refuses. A request with an
idempotency key counts under that key: its retries within the window take no further place.

When Redis is away each process counts for itself until it is back: the limit degrades (to at
most N a process), chat does not stop.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from redis.exceptions import RedisError

from apps.chat.rate_script import ADMIT
from apps.chatbots.models import Chatbot
from apps.core.changes import COUNT, heed
from apps.core.ids import chance
from apps.core.logging import get_logger
from apps.core.redis import PREFIX, run_script

log = get_logger(__name__)

_REDIS_REST_SECONDS = 1.0
_LOCAL_CHATBOTS = 10_000


@dataclass(frozen=True, slots=True)
class Window:
    """A chatbot's limit at one moment, and whether the request that asked was admitted.

    `reset`: the Unix second at which the oldest request that counts stops counting.
    `retry_after`: whole seconds, at least 1, until a refused request may pass.
    `is_news`: a key, chatbot or model has changed lately: what is known of this one may be old.
    """

    limit: int
    remaining: int
    reset: int
    retry_after: int
    admitted: bool
    is_news: bool = False

    def headers(self) -> dict[str, str]:
        """The X-RateLimit headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }

    def fields(self) -> dict[str, int]:
        """What the headers say, for an edge that has none."""
        return {"limit": self.limit, "remaining": self.remaining, "reset": self.reset}


async def admit(chatbot: Chatbot, *, idempotency_key: str | None = None) -> Window:
    """Take a place in the chatbot's window, if there is one."""
    return await _ask(chatbot, _member(idempotency_key))


async def look(chatbot: Chatbot) -> Window:
    """The chatbot's window as it is, taking no place."""
    return await _ask(chatbot, "")


def _member(idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return f"{chance() >> 64:016x}"
    return "k" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]


async def _ask(chatbot: Chatbot, member: str) -> Window:
    limit, window = chatbot.rate_limit_requests, chatbot.rate_limit_window_seconds * 1000
    answer = await _ask_redis(chatbot.id, limit, window, member)
    if answer is None:
        answer = (*_alone.ask(chatbot.id, limit, window, member), None)
    admitted, count, free_at, wait, changes = answer
    return Window(
        limit=limit,
        remaining=max(0, limit - count),
        reset=math.ceil(free_at / 1000),
        retry_after=max(1, math.ceil(wait / 1000)),
        admitted=bool(admitted),
        is_news=changes is not None and heed(changes),
    )


Answer = tuple[int, int, int, int]
"""Admitted (0 or 1), requests that count, when a place frees (Unix ms), and in how many ms."""


class _RedisRest:
    """After a failure Redis is left alone for a moment, so that its time-out is paid rarely."""

    until = 0.0


async def _ask_redis(
    chatbot_id: str, limit: int, window: int, member: str
) -> tuple[int, int, int, int, int | None] | None:
    """The answer, and how many changes were told of so far; None while Redis is away."""
    if time.monotonic() < _RedisRest.until:
        return None
    keys = (f"{PREFIX}rate:{chatbot_id}", COUNT)
    try:
        return tuple(await run_script(ADMIT, keys, (limit, window, member)))
    except (RedisError, OSError, TimeoutError) as error:
        _RedisRest.until = time.monotonic() + _REDIS_REST_SECONDS
        log.error("rate_limit_degraded", reason=type(error).__name__)
        return None


class _Alone:
    """The same rule kept by this process for itself, for the chatbots it saw last."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    def ask(self, chatbot_id: str, limit: int, window: int, member: str) -> Answer:
        now = time.time_ns() // 1_000_000
        admitted_at = self._windows.setdefault(chatbot_id, OrderedDict())
        self._windows.move_to_end(chatbot_id)
        if len(self._windows) > _LOCAL_CHATBOTS:
            self._windows.popitem(last=False)
        while admitted_at and next(iter(admitted_at.values())) <= now - window:
            admitted_at.popitem(last=False)
        admitted = 1
        if member and member not in admitted_at:
            if len(admitted_at) < limit:
                admitted_at[member] = now
            else:
                admitted = 0
        moments = list(admitted_at.values())
        place = 0 if admitted else len(moments) - limit
        free_at = (moments[place] if moments else now) + window
        return admitted, len(moments), free_at, free_at - now


_alone = _Alone()
