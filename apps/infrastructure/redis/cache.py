"""Django's cache in Redis, which may be away."""

from __future__ import annotations

import time
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

from apps.infrastructure.logging import get_logger

log = get_logger(__name__)

AWAY_SECONDS = 5.0
"""For how long Redis is left alone after it did not answer, so that nobody waits at each step."""


class RedisCacheWithFallback(RedisCache):
    """Shared by all processes; while Redis is away, each process remembers for itself.

    Tries at a password are then counted by each process alone: the limit degrades, and people
    still get in.
    """

    _away_until = 0.0

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._own = LocMemCache("away", {})

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("set", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._ask("delete", *args, **kwargs)

    def _ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        # The handler keeps one object for each thread; what they know of Redis they share.
        if time.monotonic() >= RedisCacheWithFallback._away_until:
            try:
                return getattr(super(), method)(*args, **kwargs)
            except (RedisError, OSError) as error:
                RedisCacheWithFallback._away_until = time.monotonic() + AWAY_SECONDS
                log.warning("cache_away", reason=type(error).__name__)
        return getattr(self._own, method)(*args, **kwargs)
