"""A rate limit: never more than N requests in any W seconds, over all processes.

Redis keeps the moments of the requests that it admitted in the last window. One script, so one
atomic step by one clock, forgets the old ones, counts, and admits or refuses. A request that is
named (`request_key`) counts under that name: its retries within the window take no further place.

When Redis is away each process counts for itself until it is back: the limit degrades (to at
most N a process), what it guards does not stop.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from apps.core.ids import random_bits
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.cache_invalidation import VERSION_KEY, check_version
from apps.infrastructure.redis.clients import KEY_PREFIX, blocking_redis_client, run_script
from apps.infrastructure.redis.rate_limit_script import ADMIT_SCRIPT

log = get_logger(__name__)

_REDIS_REST_SECONDS = 1.0
_LOCAL_WINDOWS = 10_000
_AWAY = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` in any `seconds`, counted for one `subject`: the id of whatever has the limit."""

    subject: str
    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Window:
    """A limit at one moment, and whether the request that asked was admitted.

    `reset`: the Unix second at which the oldest request that counts stops counting.
    `retry_after`: whole seconds, at least 1, until a refused request may pass.
    """

    limit: int
    remaining: int
    reset: int
    retry_after: int
    admitted: bool

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


async def admit(limit: RateLimit, *, request_key: str | None = None) -> Window:
    """Take a place in the window, if there is one."""
    return await _ask(limit, request_key or _anyone())


async def peek(limit: RateLimit) -> Window:
    """The window as it is, taking no place."""
    return await _ask(limit, "")


def admit_sync(limit: RateLimit) -> Window:
    """`admit` for code that runs in a thread."""
    member = _anyone()
    answer = None
    if not _resting():
        script = blocking_redis_client().register_script(ADMIT_SCRIPT)
        try:
            answer = _without_version(script(_keys(limit), _arguments(limit, member)))
        except _AWAY as error:
            _rest(error)
    return _window(limit, answer or _alone.ask(limit, member))


def _anyone() -> str:
    return f"{random_bits() >> 64:016x}"


async def _ask(limit: RateLimit, member: str) -> Window:
    return _window(limit, await _ask_redis(limit, member) or _alone.ask(limit, member))


_Result = tuple[int, int, int, int]
"""Admitted (0 or 1), requests that count, when a position frees (Unix ms), in how many ms."""


def _without_version(values: Sequence[int]) -> _Result:
    """The script's result, once the cache version that comes with it has been checked."""
    admitted, count, free_at, wait, version = values
    check_version(version)
    return admitted, count, free_at, wait


def _window(limit: RateLimit, result: _Result) -> Window:
    admitted, count, free_at, wait = result
    return Window(
        limit=limit.requests,
        remaining=max(0, limit.requests - count),
        reset=math.ceil(free_at / 1000),
        retry_after=max(1, math.ceil(wait / 1000)),
        admitted=bool(admitted),
    )


class _RedisRest:
    """After a failure Redis is left alone for a moment, so that its time-out is paid rarely."""

    until = 0.0


def _resting() -> bool:
    return time.monotonic() < _RedisRest.until


def _rest(error: Exception) -> None:
    _RedisRest.until = time.monotonic() + _REDIS_REST_SECONDS
    log.error("rate_limit_degraded", reason=type(error).__name__)


async def _ask_redis(limit: RateLimit, member: str) -> _Result | None:
    if _resting():
        return None
    try:
        return _without_version(
            await run_script(ADMIT_SCRIPT, _keys(limit), _arguments(limit, member))
        )
    except _AWAY as error:
        _rest(error)
        return None


def _keys(limit: RateLimit) -> list[str]:
    return [f"{KEY_PREFIX}rate:{limit.subject}", VERSION_KEY]


def _arguments(limit: RateLimit, member: str) -> list[str | int]:
    return [limit.requests, limit.seconds * 1000, member]


class _Alone:
    """The same rule kept by this process for itself, for the subjects it saw last."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    def ask(self, limit: RateLimit, member: str) -> _Result:
        now, window = time.time_ns() // 1_000_000, limit.seconds * 1000
        admitted_at = self._windows.setdefault(limit.subject, OrderedDict())
        self._windows.move_to_end(limit.subject)
        if len(self._windows) > _LOCAL_WINDOWS:
            self._windows.popitem(last=False)
        while admitted_at and next(iter(admitted_at.values())) <= now - window:
            admitted_at.popitem(last=False)
        admitted = 1
        if member and member not in admitted_at:
            if len(admitted_at) < limit.requests:
                admitted_at[member] = now
            else:
                admitted = 0
        moments = list(admitted_at.values())
        place = 0 if admitted else len(moments) - limit.requests
        free_at = (moments[place] if moments else now) + window
        return admitted, len(moments), free_at, free_at - now


_alone = _Alone()
