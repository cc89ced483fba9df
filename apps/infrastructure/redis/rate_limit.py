"""A sliding-window rate limit: at most N requests in any W seconds, over all processes.

Redis stores the times of the requests that were admitted in the last window. One script (one atomic
step by one clock) removes the old ones, counts, and admits or refuses.

While Redis is down each process counts for itself: the limit degrades to at most N a process, and
what it protects goes on.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from apps.core.ids import random_bits
from apps.infrastructure.logging import get_logger
from apps.infrastructure.redis.cache_invalidation import VERSION_KEY, check_version
from apps.infrastructure.redis.circuit_breaker import REDIS_ERRORS, CircuitBreaker
from apps.infrastructure.redis.clients import KEY_PREFIX, blocking_redis_client, run_script
from apps.infrastructure.redis.rate_limit_script import ADMIT_SCRIPT

_Value = TypeVar("_Value")

log = get_logger(__name__)

_MAX_LOCAL_SUBJECTS = 10_000
_breaker = CircuitBreaker(seconds=1)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`requests` in any `seconds`, counted for one `subject`: the id of whatever is limited.

    A request that is admitted counts for the `ceilings` too, and must be within all of them. A
    ceiling counts in whole windows from its first request on, which costs less, for a limit that
    is rarely met. A request adds its `cost`, and the last one may pass it.
    """

    subject: str
    requests: int
    seconds: int
    ceilings: "tuple[RateLimit, ...]" = ()
    cost: int = 1


@dataclass(frozen=True, slots=True)
class Window:
    """The state of a limit, and whether the request was admitted.

    `reset`: the Unix second at which the oldest request that counts stops counting.
    `retry_after`: whole seconds, at least 1, until a refused request may pass. `at_ceiling`:
    which of the ceilings refused it, from 1 on; 0 if none.
    """

    limit: int
    remaining: int
    reset: int
    retry_after: int
    admitted: bool
    at_ceiling: int = 0

    def headers(self) -> dict[str, str]:
        """The X-RateLimit headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }

    def fields(self) -> dict[str, int]:
        """The values of the headers, for transports without headers."""
        return {"limit": self.limit, "remaining": self.remaining, "reset": self.reset}


async def admit(limit: RateLimit, *, request_key: str | None = None) -> Window:
    """Count a request, unless the window is full.

    Requests with the same `request_key`, such as retries, count once within the window.
    """
    return await _run(limit, request_key or _unique_key())


async def peek(limit: RateLimit) -> Window:
    """Return the window as it is, without counting a request."""
    return await _run(limit, "")


def admit_sync(limit: RateLimit) -> Window:
    """Like `admit`, for code that runs in a thread."""
    key = _unique_key()
    result = None
    if _breaker.may_call():
        script = blocking_redis_client().register_script(ADMIT_SCRIPT)
        try:
            result = _without_version(script(_keys(limit), _arguments(limit, key)))
            _breaker.close()
        except REDIS_ERRORS as error:
            _degrade(error)
    return _window(limit, result or _local_windows.admit(limit, key))


def _unique_key() -> str:
    return f"{random_bits() >> 64:016x}"


async def _run(limit: RateLimit, key: str) -> Window:
    return _window(limit, await _run_in_redis(limit, key) or _local_windows.admit(limit, key))


_Result = tuple[int, int, int, int, int]
"""Admitted (0 or 1), requests that count, when a position frees (Unix ms), in how many ms the
request may pass, which ceiling refused it (from 1 on)."""


async def _run_in_redis(limit: RateLimit, key: str) -> _Result | None:
    if not _breaker.may_call():
        return None
    try:
        values = await run_script(ADMIT_SCRIPT, _keys(limit), _arguments(limit, key))
        _breaker.close()
        return _without_version(values)
    except REDIS_ERRORS as error:
        _degrade(error)
        return None


def _keys(limit: RateLimit) -> list[str]:
    keys = [f"{KEY_PREFIX}rate:{limit.subject}", VERSION_KEY]
    return [*keys, *(f"{KEY_PREFIX}ceiling:{each.subject}" for each in limit.ceilings)]


def _arguments(limit: RateLimit, key: str) -> list[str | int]:
    arguments: list[str | int] = [limit.requests, limit.seconds * 1000, key]
    for each in limit.ceilings:
        arguments += (each.requests, each.seconds * 1000, each.cost)
    return arguments


def _without_version(values: Sequence[int]) -> _Result:
    """The script's result, once the cache version that comes with it has been checked."""
    admitted, count, free_at, wait, version, at_ceiling = values
    check_version(version)
    return admitted, count, free_at, wait, at_ceiling


def _degrade(error: Exception) -> None:
    _breaker.open()
    log.warning("rate_limit_degraded", reason=type(error).__name__)


def _window(limit: RateLimit, result: _Result) -> Window:
    admitted, count, free_at, wait, at_ceiling = result
    return Window(
        limit=limit.requests,
        remaining=max(0, limit.requests - count),
        reset=math.ceil(free_at / 1000),
        retry_after=max(1, math.ceil(wait / 1000)),
        admitted=bool(admitted),
        at_ceiling=at_ceiling,
    )


class _LocalWindows:
    """The same rule in this process's memory, for the subjects that it saw last."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()
        self._counters: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def admit(self, limit: RateLimit, key: str) -> _Result:
        now, window = time.time_ns() // 1_000_000, limit.seconds * 1000
        admitted_at = _recent(self._windows, limit.subject, OrderedDict())
        while admitted_at and next(iter(admitted_at.values())) <= now - window:
            admitted_at.popitem(last=False)
        is_full, refused, at_ceiling = len(admitted_at) >= limit.requests, False, 0
        waits: list[int] = []
        if key and key not in admitted_at:
            waits = [self._wait_at(each, now) for each in limit.ceilings]
            at_ceiling = max((n for n, wait in enumerate(waits, 1) if wait), default=0)
            refused = is_full or at_ceiling > 0
            if not refused:
                admitted_at[key] = now
                for each in limit.ceilings:
                    self._count(each, now)
        times = list(admitted_at.values())
        position = max(0, len(times) - limit.requests) if refused else 0
        free_at = (times[position] if times else now) + window
        wait = free_at - now if is_full or not refused else 0
        if at_ceiling:
            wait = max(wait, waits[at_ceiling - 1])
        return not refused, len(times), free_at, wait, at_ceiling

    def _wait_at(self, ceiling: RateLimit, now: int) -> int:
        """Milliseconds until the ceiling admits the request; 0 if it does now."""
        count, ends_at = self._counters.get(ceiling.subject, (0, 0))
        return max(0, ends_at - now) if count >= ceiling.requests else 0

    def _count(self, ceiling: RateLimit, now: int) -> None:
        count, ends_at = _recent(self._counters, ceiling.subject, (0, 0))
        if ends_at <= now:
            count, ends_at = 0, now + ceiling.seconds * 1000
        self._counters[ceiling.subject] = count + ceiling.cost, ends_at


def _recent(values: OrderedDict[str, _Value], subject: str, default: _Value) -> _Value:
    """The subject's value, which becomes the newest of at most _MAX_LOCAL_SUBJECTS."""
    value = values.setdefault(subject, default)
    values.move_to_end(subject)
    if len(values) > _MAX_LOCAL_SUBJECTS:
        values.popitem(last=False)
    return value


_local_windows = _LocalWindows()
