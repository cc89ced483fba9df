"""The sliding window, on a real Valkey and in the process alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest_asyncio

from apps.chat.engine.chatbot_rate_limit import admit, peek
from apps.chatbots.models import Chatbot
from apps.infrastructure.redis.clients import KEY_PREFIX, close_redis, redis_client
from apps.infrastructure.redis.rate_limit import Window


@pytest_asyncio.fixture(autouse=True)
async def _connection() -> AsyncIterator[None]:
    yield
    await close_redis()


def bot(limit: int, window: int = 100) -> Chatbot:
    """A chatbot with a window of its own: the limit looks at its id and its numbers alone."""
    return Chatbot(rate_limit_requests=limit, rate_limit_window_seconds=window)


def places(*windows: Window) -> list[tuple[bool, int]]:
    return [(window.admitted, window.remaining) for window in windows]


async def test_window_admits_its_limit_and_no_more() -> None:
    chatbot = bot(3)
    windows = [await admit(chatbot) for _ in range(5)]
    assert places(*windows) == [(True, 2), (True, 1), (True, 0), (False, 0), (False, 0)]


async def test_windows_of_chatbots_are_apart() -> None:
    assert places(await admit(bot(1)), await admit(bot(1))) == [(True, 0), (True, 0)]


async def test_burst_is_admitted_up_to_the_limit() -> None:
    chatbot = bot(20)
    windows = await asyncio.gather(*(admit(chatbot) for _ in range(200)))
    assert sum(window.admitted for window in windows) == 20
    assert sorted(window.remaining for window in windows if window.admitted) == list(range(20))


async def test_window_slides() -> None:
    chatbot = bot(2, window=2)
    first = await admit(chatbot)
    await asyncio.sleep(1.1)
    second = await admit(chatbot)
    await asyncio.sleep(1.0)  # the first is out of the window, the second is not
    third, fourth = await admit(chatbot), await admit(chatbot)
    assert places(first, second, third, fourth) == [(True, 1), (True, 0), (True, 0), (False, 0)]


async def test_refusals_do_not_prolong_the_wait() -> None:
    chatbot = bot(1, window=1)
    assert (await admit(chatbot)).admitted
    for _ in range(3):
        assert not (await admit(chatbot)).admitted
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.8)
    assert (await admit(chatbot)).admitted


async def test_reset_is_when_the_oldest_request_stops_counting() -> None:
    chatbot, began = bot(5, window=100), time.time()
    resets = {(await admit(chatbot)).reset for _ in range(3)}
    assert len(resets) == 1
    assert began + 99 <= resets.pop() <= time.time() + 102


async def test_retry_after_is_whole_seconds_until_a_place_is_free() -> None:
    chatbot = bot(1, window=100)
    await admit(chatbot)
    assert (await admit(chatbot)).retry_after in (99, 100)


async def test_retry_after_is_at_least_1() -> None:
    chatbot = bot(1, window=1)
    await admit(chatbot)
    await asyncio.sleep(0.3)
    window = await admit(chatbot)
    assert (window.admitted, window.retry_after) == (False, 1)


async def test_idempotency_key_takes_one_place() -> None:
    chatbot = bot(2)
    windows = [await admit(chatbot, idempotency_key="one") for _ in range(3)]
    assert places(*windows) == [(True, 1), (True, 1), (True, 1)]
    assert places(await admit(chatbot, idempotency_key="two")) == [(True, 0)]


async def test_retry_with_an_admitted_key_passes_a_full_window() -> None:
    chatbot = bot(1)
    assert (await admit(chatbot, idempotency_key="one")).admitted
    assert places(
        await admit(chatbot, idempotency_key="two"), await admit(chatbot, idempotency_key="one")
    ) == [(False, 0), (True, 0)]


async def test_idempotency_key_is_not_kept_in_the_clear() -> None:
    chatbot = bot(1)
    await admit(chatbot, idempotency_key="order-1234")
    members = await redis_client().zrange(f"{KEY_PREFIX}rate:{chatbot.id}", 0, -1)
    assert len(members) == 1
    assert b"order-1234" not in members[0]


async def test_look_takes_no_place() -> None:
    chatbot = bot(2)
    windows = [await peek(chatbot), await peek(chatbot), await admit(chatbot), await peek(chatbot)]
    assert [window.remaining for window in windows] == [2, 2, 1, 1]


async def test_lowered_limit_counts_what_was_admitted_before() -> None:
    chatbot = bot(5)
    for _ in range(4):
        await admit(chatbot)
    chatbot.rate_limit_requests = 2
    window = await admit(chatbot)
    assert (window.limit, window.remaining, window.admitted) == (2, 0, False)


async def test_raised_limit_has_room_at_once() -> None:
    chatbot = bot(1)
    await admit(chatbot)
    chatbot.rate_limit_requests = 3
    assert places(await admit(chatbot)) == [(True, 1)]


async def test_window_leaves_nothing_behind() -> None:
    chatbot = bot(1, window=1)
    await admit(chatbot)
    assert 0 < await redis_client().pttl(f"{KEY_PREFIX}rate:{chatbot.id}") <= 1000


def test_headers_name_the_window() -> None:
    window = Window(limit=5, remaining=2, reset=1_700_000_000, retry_after=1, admitted=True)
    assert window.headers() == {
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "2",
        "X-RateLimit-Reset": "1700000000",
    }
