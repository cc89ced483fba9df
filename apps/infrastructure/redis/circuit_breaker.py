"""Stop calling Redis for a moment after a failure, so that its time-out is rarely waited for."""

import random
import time

from redis.exceptions import RedisError

REDIS_ERRORS = (RedisError, OSError, RuntimeError)
"""What a command raises while Redis is down or does not respond in time. RuntimeError comes from
uvloop, through redis-py, when a connection is closed in the middle of a command."""


class CircuitBreaker:
    """Opens for about `seconds` after a failure, and then lets one caller at a time try again.

    Shared by the threads and event loops of a process. Call Redis only if `may_call` is true, and
    then `close` after a success or `open` after one of REDIS_ERRORS.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_failing = False
        self._next_attempt_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now."""
        return self._is_failing and time.monotonic() < self._next_attempt_at

    def may_call(self) -> bool:
        """Whether to call Redis. While it fails, true for one caller every `seconds`."""
        if not self._is_failing:
            return True
        if self.is_open:
            return False
        self._postpone()
        return True

    def open(self) -> None:
        self._is_failing = True
        self._postpone()

    def close(self) -> None:
        """Allow all calls again."""
        self._is_failing = False

    def _postpone(self) -> None:
        pause = self._seconds * random.uniform(0.75, 1.25)  # noqa: S311
        self._next_attempt_at = time.monotonic() + pause
