"""The cache with Redis, and without it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.core.ids import new_id
from apps.infrastructure.redis.cache import breaker
from apps.infrastructure.redis.clients import blocking_redis_client
from tests.accounts.browser_session import PASSWORD, form_errors, log_in, new_browser
from tests.web_processes import free_port


@pytest.fixture
def without_redis(settings: Any) -> Iterator[None]:
    entry = settings.CACHES["default"]
    location = f"redis://127.0.0.1:{free_port()}/0"
    settings.CACHES = {"default": {**entry, "LOCATION": location}}
    yield
    breaker.close()


def test_cache_operations(db: None) -> None:
    key = new_id()
    assert (cache.add(key, 1), cache.add(key, 2), cache.get(key)) == (True, False, 1)
    cache.set(key, [3])
    assert cache.get(key) == [3]
    assert (cache.delete(key), cache.get(key, "none")) == (True, "none")


def test_values_are_stored_as_json_and_never_unpickled(db: None) -> None:
    key = new_id()
    value = {"a": [1, 2.5, "é", None, True]}
    cache.set(key, value)
    stored = f"parley:cache:json:1:{key}"
    redis = blocking_redis_client()
    assert json.loads(redis.get(stored)) == value  # type: ignore[arg-type]
    redis.set(stored, pickle.dumps([1]))
    assert cache.get(key, "none") == "none"
    with pytest.raises(TypeError):
        cache.set(key, object())


@pytest.mark.usefixtures("without_redis")
def test_sign_in_without_redis_still_limits_attempts(db: None) -> None:
    user = User.objects.create_user(f"dana-{new_id()}@example.com", PASSWORD)
    mark_email_verified(user=user)
    browser = new_browser()
    for _ in range(5):
        log_in(browser, user.email, "guess")
    assert form_errors(log_in(browser, user.email)).keys() == {"__all__"}
    other = User.objects.create_user(f"dana-{new_id()}@example.com", PASSWORD)
    mark_email_verified(user=other)
    assert log_in(new_browser(), other.email).headers["Location"] == "/workspaces"
