from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from django.db import OperationalError
from django.test import override_settings

from apps.api_keys.attempts import limit_attempts
from apps.api_keys.errors import InvalidApiKey
from apps.chatbots.errors import ChatbotNotFound
from apps.core.errors import TooManyRequests


@pytest.fixture(autouse=True)
def two_a_minute() -> Iterator[None]:
    with override_settings(MAX_WRONG_KEYS_PER_MINUTE=2):
        yield


class Client:
    """An address that nobody has used before, and its keys."""

    def __init__(self) -> None:
        self.name = secrets.token_hex()

    def attempt(self, key: str, error: type[Exception] | None = None) -> None:
        with limit_attempts(self.name, f"Bearer {key} {self.name}"):
            if error:
                raise error

    def fail(self, key: str) -> None:
        with pytest.raises(InvalidApiKey):
            self.attempt(key, InvalidApiKey)


@pytest.fixture
def client() -> Client:
    return Client()


def test_wrong_keys_of_a_client_are_limited(client: Client) -> None:
    client.fail("a")
    client.fail("b")
    with pytest.raises(TooManyRequests) as refused:
        client.attempt("c")
    assert 1 <= (refused.value.retry_after or 0) <= 60
    Client().attempt("c")


def test_key_that_worked_goes_on_until_it_is_revoked(client: Client) -> None:
    client.attempt("good")
    with pytest.raises(ChatbotNotFound):
        client.attempt("other", ChatbotNotFound)
    client.fail("a")
    client.fail("b")
    client.attempt("good")
    client.attempt("other")
    client.fail("good")
    with pytest.raises(TooManyRequests):
        client.attempt("good")


def test_only_wrong_keys_count(client: Client) -> None:
    for number in range(4):
        client.attempt(f"good {number}")
        with pytest.raises(OperationalError):
            client.attempt(f"unknown {number}", OperationalError)
    client.fail("a")
    client.attempt("another")


def test_keys_that_are_being_looked_up_count(client: Client) -> None:
    with (
        limit_attempts(client.name, "Bearer a"),
        limit_attempts(client.name, "Bearer b"),
        pytest.raises(TooManyRequests),
    ):
        client.attempt("c")
    client.attempt("c")
