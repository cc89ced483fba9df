from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.test import override_settings

from apps.accounts.passwords import hashing
from apps.accounts.passwords.hashing import BoundedArgon2PasswordHasher
from apps.core.errors import ServiceUnavailable
from tests.accounts.browser_session import log_in, new_browser, new_email, sign_up

HASHER = "apps.accounts.passwords.hashing.BoundedArgon2PasswordHasher"


class CheapHasher(BoundedArgon2PasswordHasher):
    memory_cost = 64


class CountingHasher(CheapHasher):
    """Notes how many hashes run at once."""

    running = most = 0
    lock = threading.Lock()
    both = threading.Barrier(2)

    def params(self):  # type: ignore[no-untyped-def]
        cls = type(self)
        with cls.lock:
            cls.running += 1
            cls.most = max(cls.most, cls.running)
        cls.both.wait(timeout=20)  # two do run at once
        with cls.lock:
            cls.running -= 1
        return super().params()


@pytest.fixture(autouse=True)
def two_at_once() -> Iterator[None]:
    with override_settings(
        PASSWORD_HASHERS=[HASHER], PASSWORD_HASHES_AT_ONCE=2, PASSWORD_HASH_WAIT_SECONDS=20
    ):
        hashing._turns.cache_clear()
        hashing._places.cache_clear()
        yield
        hashing._turns.cache_clear()
        hashing._places.cache_clear()


def test_passwords_are_argon2() -> None:
    encoded = make_password("secret")
    assert encoded.startswith("argon2$argon2id$")
    assert (check_password("secret", encoded), check_password("other", encoded)) == (True, False)


def test_at_most_so_many_are_hashed_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: CountingHasher().encode("secret", "saltsaltsalt"), range(8)))
    assert CountingHasher.most == 2


def test_hashes_beyond_those_that_may_wait_are_refused_at_once() -> None:
    cheap, turns = CheapHasher(), hashing._turns()
    turns.acquire()
    turns.acquire()
    with ThreadPoolExecutor(9) as threads:
        # Nobody gets a turn before the one that is refused.
        hashes = [threads.submit(cheap.encode, "secret", "saltsaltsalt") for _ in range(9)]
        first = next(as_completed(hashes, timeout=15))
        turns.release()
        turns.release()
        assert isinstance(first.exception(), ServiceUnavailable)
        assert sum(each.exception() is None for each in hashes) == 8


@override_settings(PASSWORD_HASH_WAIT_SECONDS=0)
def test_hash_that_would_wait_too_long_is_refused(db: None) -> None:
    turns = hashing._turns()
    turns.acquire()
    turns.acquire()
    with pytest.raises(ServiceUnavailable):
        make_password("secret")
    for response in (log_in(new_browser(), new_email()), sign_up(new_browser(), new_email())):
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert "Many people are logging in at the moment" in response.content.decode()
    turns.release()
    turns.release()
    assert log_in(new_browser(), new_email()).status_code == 200
