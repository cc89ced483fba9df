"""Argon2 for a bounded number of passwords at once: each takes 100 MB and two cores."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from apps.core.errors import ServiceUnavailable

MAX_WAITING = 3
_BUSY = "Many people are logging in at the moment. Try again in a few seconds."


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    """Hashes and verifies at most PASSWORD_HASHES_AT_ONCE in a process; others wait their turn.

    Raises ServiceUnavailable after PASSWORD_HASH_WAIT_SECONDS, or at once if MAX_WAITING times as
    many wait already: each holds a thread that pages need, from whatever address it comes.
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


@cache
def _places() -> threading.Semaphore:
    return threading.Semaphore((1 + MAX_WAITING) * settings.PASSWORD_HASHES_AT_ONCE)


@contextmanager
def _turn() -> Iterator[None]:
    with (
        _acquired(_places(), seconds=0),
        _acquired(_turns(), seconds=settings.PASSWORD_HASH_WAIT_SECONDS),
    ):
        yield


@contextmanager
def _acquired(semaphore: threading.Semaphore, *, seconds: float) -> Iterator[None]:
    """Raises ServiceUnavailable unless it can be acquired within so many seconds."""
    if not semaphore.acquire(timeout=seconds):
        raise ServiceUnavailable(_BUSY)
    try:
        yield
    finally:
        semaphore.release()
