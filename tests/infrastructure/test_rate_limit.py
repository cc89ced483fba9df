"""The sliding window without a chatbot: in a process's memory, in Redis, and from a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

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
    is_admitted, count, _, wait, _ = windows.admit(RateLimit("subject", 1, 100), "b")
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


async def test_ceiling_is_shared_and_refuses_alike() -> None:
    ceiling, windows = RateLimit(new_id(), 3, 100), _LocalWindows()
    limits = [RateLimit(new_id(), 2, 100, (ceiling,)) for _ in range(2)]
    requests = [(0, "a"), (0, "b"), (0, "c"), (0, "a"), (1, "d"), (1, "e"), (1, ""), (0, "f")]
    in_redis = [await _run_in_redis(limits[number], key) for number, key in requests]
    local = [windows.admit(limits[number], key) for number, key in requests]
    admitted, counts, _, waits, at_ceiling = zip(*(each for each in in_redis if each), strict=True)
    assert admitted == (1, 1, 0, 1, 1, 0, 1, 0)
    assert counts == (1, 2, 2, 2, 1, 1, 1, 2)
    assert at_ceiling == (0, 0, 0, 0, 0, 1, 0, 1)
    expected = list(zip(admitted, counts, at_ceiling, strict=True))
    assert [(*each[:2], each[4]) for each in local] == expected
    assert all(99_000 < wait <= 100_000 for wait in (*waits, *(each[3] for each in local)))
    await close_redis()


@pytest.mark.parametrize(("seconds", "ceiling_seconds"), [(10, 1000), (1000, 10)])
async def test_wait_is_for_the_later_of_window_and_ceiling(
    seconds: int, ceiling_seconds: int
) -> None:
    windows = _LocalWindows()
    limit = RateLimit(new_id(), 1, seconds, (RateLimit(new_id(), 1, ceiling_seconds),))
    in_redis = [await _run_in_redis(limit, key) for key in ("a", "b")][1]
    for refused in (in_redis, [windows.admit(limit, key) for key in ("a", "b")][1]):
        assert refused is not None
        assert (refused[0], 990_000 < refused[3] <= 1_000_000) == (0, True)
    await close_redis()


async def test_ceilings_add_up_costs_and_say_which_refused() -> None:
    windows, first, second = _LocalWindows(), new_id(), new_id()
    results = []
    for cost in (4, 5, 1, 1, 1):
        ceilings = (RateLimit(first, 4, 100), RateLimit(second, 10, 1000, cost=cost))
        limit, key = RateLimit(new_id(), 9, 100, ceilings), new_id()
        results.append((await _run_in_redis(limit, key), windows.admit(limit, key)))
    found = [[(each[0], each[4]) for each in pair if each] for pair in results]
    assert found == [[(1, 0)] * 2, [(1, 0)] * 2, [(1, 0)] * 2, [(0, 2)] * 2, [(0, 2)] * 2]
    assert all(990_000 < each[3] <= 1_000_000 for each in results[-1] if each)
    await close_redis()


async def test_ceiling_counts_anew_after_its_window() -> None:
    windows = _LocalWindows()
    limit = RateLimit(new_id(), 9, 100, (RateLimit(new_id(), 1, 1),))
    admitted = []
    for key in ("a", "b", "c"):
        result = await _run_in_redis(limit, key)
        admitted.append((result and result[0], windows.admit(limit, key)[0]))
        if key == "b":
            await asyncio.sleep(1.01)
    assert admitted == [(1, 1), (0, 0), (1, 1)]
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
