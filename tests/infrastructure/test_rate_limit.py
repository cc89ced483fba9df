"""The sliding window without a chatbot: in a process's memory, in Redis, and from a thread."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from apps.core.ids import new_id
from apps.infrastructure.redis.clients import close_redis
from apps.infrastructure.redis.rate_limit import (
    RateLimit,
    _LocalWindows,
    _run_in_redis,
    admit_sync,
    peek,
)


def admitted(windows: _LocalWindows, requests: int, key: str, *, seconds: int = 100) -> int:
    """Whether the process's own window admits this request (1) or not (0)."""
    return windows.admit(RateLimit("subject", requests, seconds), key)[0]


def test_local_window_admits_its_limit() -> None:
    windows = _LocalWindows()
    assert [admitted(windows, 2, key) for key in ("a", "b", "c", "d")] == [1, 1, 0, 0]


def test_local_window_counts_a_request_key_once() -> None:
    windows = _LocalWindows()
    assert [admitted(windows, 1, key) for key in ("a", "a", "b", "a", "")] == [1, 1, 0, 1, 1]


def test_local_window_slides() -> None:
    windows = _LocalWindows()
    assert [admitted(windows, 1, key, seconds=1) for key in ("a", "b")] == [1, 0]
    time.sleep(1.01)
    assert admitted(windows, 1, "c", seconds=1) == 1


def test_local_window_returns_when_a_position_frees() -> None:
    windows = _LocalWindows()
    admitted(windows, 1, "a")
    is_admitted, count, _, wait = windows.admit(RateLimit("subject", 1, 100), "b")
    assert (is_admitted, count) == (0, 1)
    assert 99_000 <= wait <= 100_000


def test_local_window_counts_requests_from_before_a_lowered_limit() -> None:
    windows = _LocalWindows()
    for key in ("a", "b", "c"):
        admitted(windows, 3, key)
    assert windows.admit(RateLimit("subject", 1, 100), "d")[:2] == (0, 3)


def test_local_windows_are_separate_by_subject() -> None:
    windows = _LocalWindows()
    assert [windows.admit(RateLimit(each, 1, 100), "a")[0] for each in ("x", "y")] == [1, 1]


async def test_script_admits_like_the_local_window() -> None:
    limit, windows = RateLimit(new_id(), 3, 100), _LocalWindows()
    keys = ["a", "b", "a", "", "c", "d", "b", "e", ""]
    in_redis = [await _run_in_redis(limit, key) for key in keys]
    local = [windows.admit(limit, key) for key in keys]
    assert [result and result[:2] for result in in_redis] == [result[:2] for result in local]
    await close_redis()


async def test_threads_and_event_loops_share_a_window() -> None:
    limit, ready = RateLimit(new_id(), 4, 100), threading.Barrier(8)

    def admit() -> bool:
        ready.wait()
        return admit_sync(limit).admitted

    with ThreadPoolExecutor(8) as threads:
        results = [each.result() for each in [threads.submit(admit) for _ in range(8)]]
    window = await peek(limit)
    assert (sum(results), window.limit, window.remaining) == (4, 4, 0)
    await close_redis()
