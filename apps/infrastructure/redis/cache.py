"""Django's cache backend for Redis, with a fallback for when Redis is down."""

from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker

log = get_logger(__name__)

breaker = CircuitBreaker(seconds=5)
"""Shared by all instances: Django's cache handler keeps one for each thread."""


class RedisCacheWithFallback(RedisCache):
    """Shared by all processes; while Redis is down, each process uses its own memory.

    Attempts at a password are then counted by each process alone: the limit is weaker, and people
    can still sign in.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._fallback = LocMemCache("away", {})

    def add(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("add", *args, **kwargs)

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("get", *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("set", *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._call("delete", *args, **kwargs)

    def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        if breaker.may_call():
            try:
                result = getattr(super(), method)(*args, **kwargs)
            except REDIS_ERRORS as error:
                breaker.open()
                log.warning("cache_unavailable", reason=type(error).__name__)
            else:
                breaker.close()
                return result
        return getattr(self._fallback, method)(*args, **kwargs)
