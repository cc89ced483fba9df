"""The sliding-window rate limit of chatbots, on a real Valkey."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest_asyncio
from django.test import override_settings

from apps.chat.engine.chatbot_rate_limit import admit, peek, refusal
from apps.chatbots.models import Chatbot
from apps.core.errors import TooManyRequests
from apps.core.ids import new_id
from apps.infrastructure.redis.clients import KEY_PREFIX, close_redis, redis_client
from apps.infrastructure.redis.rate_limit import Window


@pytest_asyncio.fixture(autouse=True)
async def _connection() -> AsyncIterator[None]:
    yield
    await close_redis()


def make_bot(limit: int, window: int = 100, workspace_id: str = "") -> Chatbot:
    """An unsaved chatbot with new windows: only its ids and its limits are read."""
    return Chatbot(
        workspace_id=workspace_id or new_id(),
        rate_limit_requests=limit,
        rate_limit_window_seconds=window,
    )


def admissions(*windows: Window) -> list[tuple[bool, int]]:
    return [(window.admitted, window.remaining) for window in windows]


async def test_window_admits_exactly_its_limit() -> None:
    chatbot = make_bot(3)
    windows = [await admit(chatbot) for _ in range(5)]
    assert admissions(*windows) == [(True, 2), (True, 1), (True, 0), (False, 0), (False, 0)]


async def test_chatbots_have_separate_windows() -> None:
    assert admissions(await admit(make_bot(1)), await admit(make_bot(1))) == [(True, 0), (True, 0)]


async def test_chatbots_of_a_workspace_share_its_limit() -> None:
    workspace_id = new_id()
    first, second = (make_bot(30, workspace_id=workspace_id) for _ in range(2))
    with override_settings(MAX_TURNS_PER_MINUTE=4):
        windows = await asyncio.gather(*(admit(bot) for bot in (first, second) for _ in range(10)))
        refused = refusal(await admit(second))
    assert sum(window.admitted for window in windows) == 4
    assert refused.message.startswith("This workspace has started 4 turns in a minute, its limit")
    assert 59 <= (refused.retry_after or 0) <= 60


async def test_messages_of_a_workspace_are_limited_by_length() -> None:
    workspace_id = new_id()
    with override_settings(MAX_CHAT_CHARACTERS_PER_HOUR=1000):
        windows = [
            await admit(make_bot(9, workspace_id=workspace_id), characters=400) for _ in range(4)
        ]
        message = refusal(windows[-1]).message
    assert [window.admitted for window in windows] == [True, True, True, False]
    assert message == "This workspace has sent 1,000 characters in an hour, its limit. Please wait."


async def test_refusal_of_a_full_chatbot_is_the_usual_one() -> None:
    chatbot = make_bot(1)
    await admit(chatbot)
    assert refusal(await admit(chatbot)).message == TooManyRequests(1).message


async def test_concurrent_requests_are_admitted_up_to_the_limit() -> None:
    chatbot = make_bot(20)
    windows = await asyncio.gather(*(admit(chatbot) for _ in range(200)))
    assert sum(window.admitted for window in windows) == 20
    assert sorted(window.remaining for window in windows if window.admitted) == list(range(20))


async def test_window_slides() -> None:
    chatbot = make_bot(2, window=2)
    first = await admit(chatbot)
    await asyncio.sleep(1.1)
    second = await admit(chatbot)
    await asyncio.sleep(1.0)  # the first is out of the window, the second is not
    third, fourth = await admit(chatbot), await admit(chatbot)
    assert admissions(first, second, third, fourth) == [(True, 1), (True, 0), (True, 0), (False, 0)]


async def test_rejected_requests_do_not_extend_the_wait() -> None:
    chatbot = make_bot(1, window=1)
    assert (await admit(chatbot)).admitted
    for _ in range(3):
        assert not (await admit(chatbot)).admitted
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.8)
    assert (await admit(chatbot)).admitted


async def test_reset_is_when_the_oldest_request_expires() -> None:
    chatbot, started_at = make_bot(5, window=100), time.time()
    resets = {(await admit(chatbot)).reset for _ in range(3)}
    assert len(resets) == 1
    assert started_at + 99 <= resets.pop() <= time.time() + 102


async def test_retry_after_is_seconds_until_a_slot_is_free() -> None:
    chatbot = make_bot(1, window=100)
    await admit(chatbot)
    assert (await admit(chatbot)).retry_after in (99, 100)


async def test_retry_after_is_at_least_1() -> None:
    chatbot = make_bot(1, window=1)
    await admit(chatbot)
    await asyncio.sleep(0.3)
    window = await admit(chatbot)
    assert (window.admitted, window.retry_after) == (False, 1)


async def test_idempotency_key_takes_one_slot() -> None:
    chatbot = make_bot(2)
    windows = [await admit(chatbot, idempotency_key="one") for _ in range(3)]
    assert admissions(*windows) == [(True, 1), (True, 1), (True, 1)]
    assert admissions(await admit(chatbot, idempotency_key="two")) == [(True, 0)]


async def test_retry_with_an_admitted_key_passes_a_full_window() -> None:
    chatbot = make_bot(1)
    assert (await admit(chatbot, idempotency_key="one")).admitted
    assert admissions(
        await admit(chatbot, idempotency_key="two"), await admit(chatbot, idempotency_key="one")
    ) == [(False, 0), (True, 0)]


async def test_idempotency_key_is_not_stored_in_plain_text() -> None:
    chatbot = make_bot(1)
    await admit(chatbot, idempotency_key="order-1234")
    members = await redis_client().zrange(f"{KEY_PREFIX}rate:{chatbot.id}", 0, -1)
    assert len(members) == 1
    assert b"order-1234" not in members[0]


async def test_peek_takes_no_slot() -> None:
    chatbot = make_bot(2)
    windows = [await peek(chatbot), await peek(chatbot), await admit(chatbot), await peek(chatbot)]
    assert [window.remaining for window in windows] == [2, 2, 1, 1]


async def test_lowered_limit_counts_earlier_requests() -> None:
    chatbot = make_bot(5)
    for _ in range(4):
        await admit(chatbot)
    chatbot.rate_limit_requests = 2
    window = await admit(chatbot)
    assert (window.limit, window.remaining, window.admitted) == (2, 0, False)


async def test_raised_limit_applies_immediately() -> None:
    chatbot = make_bot(1)
    await admit(chatbot)
    chatbot.rate_limit_requests = 3
    assert admissions(await admit(chatbot)) == [(True, 1)]


async def test_window_key_expires_in_redis() -> None:
    chatbot = make_bot(1, window=1)
    await admit(chatbot)
    assert 0 < await redis_client().pttl(f"{KEY_PREFIX}rate:{chatbot.id}") <= 1000


def test_headers_describe_the_window() -> None:
    window = Window(limit=5, remaining=2, reset=1_700_000_000, retry_after=1, admitted=True)
    assert window.headers() == {
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "2",
        "X-RateLimit-Reset": "1700000000",
    }
