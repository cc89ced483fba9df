"""Django's cache backend for Redis, with a fallback for when Redis is down."""

import json
from typing import Any

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker

log = get_logger(__name__)

breaker = CircuitBreaker(seconds=5)
"""Shared by all instances: Django's cache handler keeps one for each thread."""


class JsonSerializer:
    """Stores values as JSON: who can write to Redis runs no code here, as pickle would."""

    def dumps(self, value: Any) -> bytes:
        """Raises TypeError for a value that JSON has no form for."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        """Return the value. A tuple has become a list."""
        return json.loads(data)


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

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        try:
            return self._call("get", key, default, version=version)
        except ValueError:
            return default  # not ours: it is no JSON

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
