"""The sliding window without a chatbot: in the process alone, in Redis, and from a thread."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from apps.core.ids import new_id
from apps.infrastructure.redis.clients import close_redis
from apps.infrastructure.redis.rate_limit import RateLimit, _Alone, _ask_redis, admit_sync, peek


def alone(windows: _Alone, requests: int, member: str, *, seconds: int = 100) -> int:
    """Whether the process alone admits this request (1) or not (0)."""
    return windows.ask(RateLimit("subject", requests, seconds), member)[0]


def test_alone_admits_its_limit_and_no_more() -> None:
    windows = _Alone()
    assert [alone(windows, 2, member) for member in ("a", "b", "c", "d")] == [1, 1, 0, 0]


def test_alone_gives_a_member_one_place() -> None:
    windows = _Alone()
    assert [alone(windows, 1, member) for member in ("a", "a", "b", "a", "")] == [1, 1, 0, 1, 1]


def test_alone_slides() -> None:
    windows = _Alone()
    assert [alone(windows, 1, member, seconds=1) for member in ("a", "b")] == [1, 0]
    time.sleep(1.01)
    assert alone(windows, 1, "c", seconds=1) == 1


def test_alone_says_when_a_place_is_free() -> None:
    windows = _Alone()
    alone(windows, 1, "a")
    admitted, count, _, wait = windows.ask(RateLimit("subject", 1, 100), "b")
    assert (admitted, count) == (0, 1)
    assert 99_000 <= wait <= 100_000


def test_alone_counts_what_was_admitted_before_a_lowered_limit() -> None:
    windows = _Alone()
    for member in ("a", "b", "c"):
        alone(windows, 3, member)
    assert windows.ask(RateLimit("subject", 1, 100), "d")[:2] == (0, 3)


def test_alone_keeps_subjects_apart() -> None:
    windows = _Alone()
    assert [windows.ask(RateLimit(subject, 1, 100), "a")[0] for subject in ("x", "y")] == [1, 1]


async def test_script_is_the_same_rule_as_the_process_alone() -> None:
    limit, windows = RateLimit(new_id(), 3, 100), _Alone()
    members = ["a", "b", "a", "", "c", "d", "b", "e", ""]
    in_redis = [await _ask_redis(limit, each) for each in members]
    in_process = [windows.ask(limit, each) for each in members]
    assert [answer and answer[:2] for answer in in_redis] == [answer[:2] for answer in in_process]
    await close_redis()


async def test_threads_and_event_loops_share_a_window() -> None:
    limit, ready = RateLimit(new_id(), 4, 100), threading.Barrier(8)

    def ask() -> bool:
        ready.wait()
        return admit_sync(limit).admitted

    with ThreadPoolExecutor(8) as threads:
        admitted = [each.result() for each in [threads.submit(ask) for _ in range(8)]]
    window = await peek(limit)
    assert (sum(admitted), window.limit, window.remaining) == (4, 4, 0)
    await close_redis()
