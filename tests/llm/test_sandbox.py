from __future__ import annotations

import asyncio

import pytest

from apps.llm import services
from apps.llm.errors import ProviderFailed, ProviderTimeout, ProviderUnavailable
from apps.llm.providers.sandbox import RETRY_AFTER_SECONDS, SANDBOX_MODELS
from apps.llm.types import ChatMessage, Finish, TextDelta, Timeouts, Usage
from tests.llm.completion_helpers import complete, sandbox_request


async def test_echo_repeats_the_last_user_message() -> None:
    request = sandbox_request(
        "echo",
        messages=(
            ChatMessage("system", "Be brief."),
            ChatMessage("user", "First."),
            ChatMessage("assistant", "Echo: First."),
            ChatMessage("user", "two  words\n"),
        ),
    )

    outcome = await complete(request)

    assert outcome.deltas == ["Echo:", " two", "  words"]
    assert outcome.usage == Usage(input_tokens=7, output_tokens=3)
    assert outcome.finish == Finish("stop")


async def test_echo_stops_at_max_tokens() -> None:
    outcome = await complete(sandbox_request("echo", "one two three", max_tokens=2))

    assert outcome.text == "Echo: one"
    assert outcome.usage == Usage(3, 2)
    assert outcome.finish == Finish("length")


async def test_max_tokens_equal_to_the_answer_finish_with_stop() -> None:
    outcome = await complete(sandbox_request("echo", "one", max_tokens=2))

    assert outcome.finish == Finish("stop")


async def test_slow_pauses_between_words() -> None:
    """0.5 s before the first word, and 0.1 s before each later one."""
    words: list[str] = []
    counts: list[int] = []
    for seconds in (0.45, 0.55, 0.65):
        asyncio.get_running_loop().call_later(seconds, lambda: counts.append(len(words)))

    def on_delta(delta: TextDelta) -> None:
        words.append(delta.text)

    await services.Completion(sandbox_request("slow", "one two"), on_delta).run()

    assert words == ["Echo:", " one", " two"]
    assert [count <= most for count, most in zip(counts, (0, 1, 2), strict=True)] == [True] * 3


async def test_long_counts_to_200() -> None:
    outcome = await complete(sandbox_request("long", "Hi", max_tokens=5))

    assert outcome.text == "1 2 3 4 5"
    assert outcome.finish == Finish("length")


async def test_fail_before_fails_without_text() -> None:
    outcome = await complete(sandbox_request("fail-before", "Hi"))

    assert (outcome.text, type(outcome.failure)) == ("", ProviderFailed)


async def test_fail_midway_fails_after_half_the_text() -> None:
    outcome = await complete(sandbox_request("fail-midway", "one two three"))

    assert (outcome.text, type(outcome.failure)) == ("Echo: one", ProviderFailed)
    assert outcome.usage == Usage(3, 2)


async def test_rate_limited_fails_with_retry_after() -> None:
    async with asyncio.timeout(RETRY_AFTER_SECONDS):  # it must not wait for a retry
        failure = (await complete(sandbox_request("rate-limited", "Hi"))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert failure.retry_after == RETRY_AFTER_SECONDS == 10


async def test_silent_reaches_the_first_token_timeout() -> None:
    timeouts = Timeouts(connect=1, first_token=0.1, between_tokens=1, total=1)

    outcome = await complete(sandbox_request("silent", "Hi", timeouts=timeouts))

    assert isinstance(outcome.failure, ProviderTimeout)


async def test_unknown_model_is_an_error() -> None:
    failure = (await complete(sandbox_request("nonsense", "Hi"))).failure

    assert type(failure) is ProviderFailed


@pytest.mark.parametrize("name", SANDBOX_MODELS)
def test_every_model_has_a_description(name: str) -> None:
    assert name.startswith("sandbox/")
    assert SANDBOX_MODELS[name].endswith(".")
