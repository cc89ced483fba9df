"""News of changes to what processes keep in memory for a moment: keys, chatbots, models.

Whoever changes such a thing says so with `tell_of_change`. This process forgets what it kept as
soon as the change is committed. The others learn of it from a count in Redis, which they read
with something that they ask of Redis anyway, and then `heed` it. Should Redis be away, what is
kept grows old by itself: see `KEPT_SECONDS`.
"""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import transaction

from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.clients import PREFIX

log = get_logger(__name__)

KEPT_SECONDS = 0.9
"""How long anything may be kept, so that a change is everywhere within a second."""

COUNT = f"{PREFIX}changes"
"""The key in Redis that counts the changes."""

_PATIENCE_SECONDS = 0.5


class _Changes:
    """`count`: how many changes this process has heard of."""

    count: int | None = None
    forget: Callable[[], None] = staticmethod(lambda: None)


def on_change(forget: Callable[[], None]) -> None:
    """Call this, from any thread, whenever something may have changed."""
    _Changes.forget = staticmethod(forget)


def tell_of_change() -> None:
    """Have all processes forget what they keep, once the transaction is committed."""
    transaction.on_commit(_tell)


def heed(count: int) -> bool:
    """Take the count that Redis has now. Whether it is news: what was kept is forgotten then."""
    if count == _Changes.count:
        return False
    _Changes.count = count
    _Changes.forget()
    return True


def _tell() -> None:
    _Changes.forget()
    patience = {
        "socket_timeout": _PATIENCE_SECONDS,
        "socket_connect_timeout": _PATIENCE_SECONDS,
        "retry": None,
    }
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **patience) as client:
            client.incr(COUNT)
    except (redis.RedisError, OSError) as error:
        log.warning("change_not_told", reason=type(error).__name__)
