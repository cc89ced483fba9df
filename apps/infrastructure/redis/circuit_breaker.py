"""Stop calling Redis for a moment after a failure, so that its time-out is rarely waited for."""

import time

from redis.exceptions import RedisError

REDIS_ERRORS = (RedisError, OSError)
"""What a command raises while Redis is down or does not respond in time."""


class CircuitBreaker:
    """Opens for `seconds` after each failure. Shared by the threads and event loops of a process.

    Do not call Redis while `is_open`; call `open()` after catching one of REDIS_ERRORS.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        return time.monotonic() < self._open_until

    def open(self) -> None:
        self._open_until = time.monotonic() + self._seconds

    def close(self) -> None:
        """Allow calls again at once."""
        self._open_until = 0.0
