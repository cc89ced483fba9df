"""Slow down guesses at one account from many addresses.

Each address has limits of its own (`adapters`). An account has none: whoever could use it up would
keep its owner out. Beyond a number of attempts each one takes longer instead.
"""

import hashlib
import threading
import time

from django.conf import settings

from apps.infrastructure.redis.rate_limit import RateLimit, admit_sync

FREE_ATTEMPTS, WINDOW_SECONDS = 20, 300
MAX_DELAYED = 4
"""Attempts of a process that are delayed at once, as each holds a thread meanwhile."""

_delayed = threading.Semaphore(MAX_DELAYED)


def slow_down(email: str) -> bool:
    """Count an attempt to log in, and wait if there were many. Returns whether it waited."""
    digest = hashlib.sha256(email.lower().encode()).hexdigest()
    limit = RateLimit(f"login:{digest}", FREE_ATTEMPTS, WINDOW_SECONDS)
    if admit_sync(limit).admitted or not _delayed.acquire(blocking=False):
        return False
    try:
        time.sleep(settings.LOGIN_DELAY_SECONDS)
    finally:
        _delayed.release()
    return True
