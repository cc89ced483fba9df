"""Turns at a host: one request at a time, each visitor in turn, whatever Redis does."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from apps.core.ids import random_bits
from apps.infrastructure.redis.clients import blocking_redis_client
from apps.knowledge.fetching.errors import FetchFailed, HostBusy
from apps.knowledge.fetching.host_turns import LocalTurns, turn_at
from apps.knowledge.fetching.pages import fetch_page
from apps.knowledge.fetching.types import FetchOptions
from tests.knowledge.fetching.conftest import OpenSite, options
from tests.knowledge.site import Page, page, text

LONG = 100.0


@pytest.fixture
def host() -> str:
    return f"host-{random_bits():x}.example"


def visitor(name: str) -> FetchOptions:
    return options(visitor=name, patience_seconds=0.0)


def wait_of(host: str, name: str, interval: float = LONG) -> float:
    """How long a visitor is told to wait; 0 if it had a turn, which is over."""
    try:
        with turn_at(host, visitor(name), interval_seconds=interval):
            return 0.0
    except HostBusy as busy:
        return busy.wait_seconds


def let_time_pass(host: str) -> None:
    """Let the pause after the last turn be over."""
    client: redis.Redis = blocking_redis_client()
    client.hset(f"parley:host:{host}:state", "next_at", 0)


def test_second_request_waits_for_the_interval(host: str) -> None:
    assert wait_of(host, "a") == 0
    assert 0 < wait_of(host, "a") <= LONG
    let_time_pass(host)
    assert wait_of(host, "a") == 0


def test_hosts_do_not_wait_for_each_other(host: str) -> None:
    assert wait_of(host, "a") == 0
    assert wait_of(f"other-{host}", "a") == 0


def test_one_request_at_a_time(host: str) -> None:
    with ThreadPoolExecutor(1) as another, turn_at(host, visitor("a"), interval_seconds=0.0):
        assert another.submit(wait_of, host, "b", interval=0.0).result() > 0
    assert wait_of(host, "b") == 0


def test_visitors_take_turns(host: str) -> None:
    """A crawl that is always there gets every other turn, not all of them."""
    assert wait_of(host, "crawl") == 0
    assert wait_of(host, "page") > 0
    assert wait_of(host, "crawl") > LONG  # behind the page
    let_time_pass(host)
    assert wait_of(host, "crawl") > 0
    assert wait_of(host, "page") == 0
    let_time_pass(host)
    assert wait_of(host, "crawl") == 0


def test_visitor_that_stays_away_loses_its_place(host: str) -> None:
    assert wait_of(host, "a") == 0
    assert wait_of(host, "gone") > 0
    let_time_pass(host)
    assert wait_of(host, "a") > 0
    client: redis.Redis = blocking_redis_client()
    client.zadd(f"parley:host:{host}:due", {"gone": 1})  # it should have been back long ago
    assert wait_of(host, "a") == 0


def test_patient_visitor_gets_its_turn(host: str) -> None:
    for _ in range(3):
        with turn_at(host, options(patience_seconds=5.0), interval_seconds=0.05):
            pass


def test_turn_within_a_turn_goes_on(host: str) -> None:
    with (
        turn_at(host, visitor("a"), interval_seconds=LONG) as outer,
        turn_at(host, visitor("a"), interval_seconds=LONG) as inner,
    ):
        assert inner is outer
    assert wait_of(host, "a") > 0


def test_keys_expire(host: str) -> None:
    wait_of(host, "a")
    wait_of(host, "b")
    client: redis.Redis = blocking_redis_client()
    keys = list(client.scan_iter(f"parley:host:{host}:*"))
    assert len(keys) == 3
    assert all(client.pttl(key) > 0 for key in keys)


def test_retry_after_keeps_all_visitors_away(open_site: OpenSite) -> None:
    site = open_site({"/robots.txt": text(""), "/b": page()})
    site.pages["/a"] = Page(status=429, headers={"Retry-After": "120"})
    with pytest.raises(FetchFailed) as caught:
        fetch_page(f"{site.url}/a", options=options())
    assert caught.value.retry_after == 120
    with pytest.raises(HostBusy) as busy:
        fetch_page(f"{site.url}/b", options=options(visitor="another"))
    assert busy.value.wait_seconds > 60
    assert "/b" not in site.requests


# Without Redis.


def test_process_keeps_the_pace_alone() -> None:
    turns = LocalTurns()
    assert turns.take("host", "1", lease_seconds=LONG) == 0
    assert 0 < turns.take("host", "2", lease_seconds=LONG) < 1  # it may be over any moment
    assert turns.take("other", "2", lease_seconds=LONG) == 0
    turns.end("host", "another's", 0.0)
    assert turns.take("host", "2", lease_seconds=LONG) > 0
    turns.end("host", "1", LONG)
    assert turns.take("host", "2", lease_seconds=LONG) > 1


def test_lease_of_a_dead_process_ends() -> None:
    turns = LocalTurns()
    assert turns.take("host", "1", lease_seconds=0.0) == 0
    assert turns.take("host", "2", lease_seconds=LONG) == 0
    turns.end("host", "1", LONG)  # too late
    turns.end("host", "2", 0.0)
    assert turns.take("host", "3", lease_seconds=LONG) == 0


def test_turn_of_a_killed_holder_is_its_own_again(host: str) -> None:
    client: redis.Redis = blocking_redis_client()
    client.hset(f"parley:host:{host}:state", "lease", "source-1")
    client.hset(f"parley:host:{host}:state", "lease_until", (time.time() + LONG) * 1000)
    assert wait_of(host, "a", interval=0.0) > 0
    holder = options(visitor="a", holder="source-1", patience_seconds=0.0)
    with turn_at(host, holder, interval_seconds=0.0):
        assert client.hget(f"parley:host:{host}:state", "lease") == b"source-1"
    assert wait_of(host, "a", interval=0.0) == 0
