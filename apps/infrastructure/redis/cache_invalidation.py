"""Invalidate what processes cache in memory: API keys, chatbots and language models.

`invalidate_on_commit` clears this process's caches once a change is committed, and increments a
version in Redis for the others. They read that version along with something that they request from
Redis anyway (the rate limit) and pass it to `check_version`. Should Redis be down, cached data
expires by itself: see `MAX_AGE_SECONDS`.
"""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import transaction

from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker
from apps.infrastructure.redis.clients import KEY_PREFIX

log = get_logger(__name__)

MAX_AGE_SECONDS = 0.9
"""How long anything may be cached, so that a change takes effect everywhere within a second."""

VERSION_KEY = f"{KEY_PREFIX}changes"
"""The Redis key that holds the version: a count of the changes."""

_TIMEOUT_SECONDS = 0.5
_breaker = CircuitBreaker(seconds=1)


class _State:
    version: int | None = None
    clear_caches: Callable[[], None] = staticmethod(lambda: None)


def on_invalidate(clear_caches: Callable[[], None]) -> None:
    """Register what clears this process's caches. It may be called from any thread."""
    _State.clear_caches = staticmethod(clear_caches)


def invalidate_on_commit() -> None:
    """Clear the caches of all processes once the running transaction has committed."""
    transaction.on_commit(_invalidate)


def current_version() -> int | None:
    """The version that this process last read from Redis; None before the first time."""
    return _State.version


def is_stale(version: int | None) -> bool:
    """Whether data cached at this version may be out of date."""
    return version != _State.version


def check_version(version: int) -> None:
    """Clear this process's caches if the version just read from Redis is another than before."""
    if version != _State.version:
        _State.version = version
        _State.clear_caches()


def _invalidate() -> None:
    _State.clear_caches()
    if not _breaker.may_call():
        return  # what the other processes have cached expires within a second
    timeouts = {
        "socket_timeout": _TIMEOUT_SECONDS,
        "socket_connect_timeout": _TIMEOUT_SECONDS,
        "retry": None,
    }
    try:
        with redis.Redis.from_url(settings.REDIS_URL, **timeouts) as client:
            client.incr(VERSION_KEY)
        _breaker.close()
    except REDIS_ERRORS as error:
        _breaker.open()
        log.warning("cache_invalidation_failed", reason=type(error).__name__)
