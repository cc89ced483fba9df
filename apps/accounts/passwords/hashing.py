"""Argon2 for a bounded number of passwords at once: each takes 100 MB and two cores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from apps.core.errors import ServiceUnavailable

_BUSY = "Many people are logging in at the moment. Try again in a few seconds."


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    """Hashes and verifies at most PASSWORD_HASHES_AT_ONCE in a process; others wait their turn.

    Raises ServiceUnavailable after PASSWORD_HASH_WAIT_SECONDS.
    """

    def encode(self, password: str, salt: str) -> str:
        with _turn():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turn():
            return super().verify(password, encoded)


@cache
def _turns() -> threading.Semaphore:
    return threading.Semaphore(settings.PASSWORD_HASHES_AT_ONCE)


@contextmanager
def _turn() -> Iterator[None]:
    turns = _turns()
    if not turns.acquire(timeout=settings.PASSWORD_HASH_WAIT_SECONDS):
        raise ServiceUnavailable(_BUSY)
    try:
        yield
    finally:
        turns.release()
