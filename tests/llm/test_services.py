"""What holds for every provider: order, clean text, time-outs, retries, and letting go."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from apps.llm import services
from apps.llm.deadlines import USAGE_GRACE_SECONDS
from apps.llm.errors import ProviderFailed, ProviderTimeout, ProviderUnavailable
from apps.llm.types import Finish, ModelEvent, Timeouts, Usage
from tests.llm.completion_helpers import ask, sandbox_request, wire_request
from tests.llm.fake_provider import DONE, Script, Upstream, answer, chunk, event, whole

ROOT = Path(__file__).resolve().parents[2]


def busy(retry_after: str = "0.01") -> Script:
    return whole({"error": {"message": "busy"}}, status=503, Retry_After=retry_after)


async def test_transient_failures_are_retried_twice(upstream: Upstream) -> None:
    upstream.play(busy(), busy(), Script())

    outcome = await ask(wire_request(upstream))

    assert outcome.text == "Hello world"
    assert len(upstream.requests) == 3


async def test_third_failure_is_the_answer(upstream: Upstream) -> None:
    upstream.play(busy())

    outcome = await ask(wire_request(upstream))

    assert isinstance(outcome.failure, ProviderUnavailable)
    assert outcome.failure.retry_after == 0.01
    assert len(upstream.requests) == 3


async def test_pauses_grow_when_the_provider_names_none(upstream: Upstream) -> None:
    upstream.play(whole({}, status=503))

    await ask(wire_request(upstream))

    first, second = (later.at - seen.at for seen, later in pairwise(upstream.requests))
    assert first > 0.12
    assert second > 0.24


async def test_long_retry_after_is_not_waited_for(upstream: Upstream) -> None:
    upstream.play(busy("6"))

    outcome = await ask(wire_request(upstream))

    assert outcome.failure is not None
    assert outcome.failure.retry_after == 6
    assert len(upstream.requests) == 1


async def test_retry_that_would_miss_the_first_token_is_not_begun(upstream: Upstream) -> None:
    upstream.play(busy("3"))
    timeouts = Timeouts(connect=1, first_token=2, between_tokens=1, total=5)
    started = time.monotonic()

    outcome = await ask(wire_request(upstream, timeouts=timeouts))

    assert isinstance(outcome.failure, ProviderUnavailable)
    assert time.monotonic() - started < 2


async def test_nothing_is_retried_after_the_first_token(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello"), event({"error": {"code": 503}}))

    outcome = await ask(wire_request(upstream))

    assert (outcome.text, type(outcome.failure)) == ("Hello", ProviderUnavailable)
    assert len(upstream.requests) == 1


async def test_nothing_is_retried_once_the_model_reasons(upstream: Upstream) -> None:
    upstream.stream(chunk(reasoning_content="Hm."), event({"error": {"code": 503}}), pace=0.02)

    assert (await ask(wire_request(upstream))).failure is not None
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("script", "timeouts", "detail", "text"),
    [
        pytest.param(
            Script(before=30), Timeouts(1, 0.2, 1, 5), "no first token within 0.2 s", "", id="first"
        ),
        pytest.param(
            Script(pieces=(chunk("Hello"),), ending="hang"),
            Timeouts(1, 5, 0.2, 5),
            "no further token within 0.2 s",
            "Hello",
            id="between",
        ),
        pytest.param(
            Script(pieces=(chunk("o"),) * 1000, pace=0.1),
            Timeouts(1, 5, 1, 0.35),
            "the answer was not complete after 0.35 s",
            "o+",
            id="total",
        ),
    ],
)
async def test_time_outs(
    upstream: Upstream, script: Script, timeouts: Timeouts, detail: str, text: str
) -> None:
    upstream.play(script)

    outcome = await ask(wire_request(upstream, timeouts=timeouts))

    assert isinstance(outcome.failure, ProviderTimeout)
    assert outcome.failure.detail == detail
    assert re.fullmatch(text, outcome.text)
    assert len(upstream.requests) == 1
    await upstream.wait_for_close()


async def test_reasoning_is_a_sign_of_life(upstream: Upstream) -> None:
    thoughts = (chunk(reasoning_content="Hm."),) * 16
    upstream.stream(*thoughts, *answer("Hello"), pace=0.05)
    timeouts = Timeouts(connect=1, first_token=0.6, between_tokens=0.6, total=5)

    assert (await ask(wire_request(upstream, timeouts=timeouts))).text == "Hello"


async def test_slow_taker_is_not_a_slow_model(upstream: Upstream) -> None:
    upstream.stream(*answer("a", "b", "c"), pace=0.02)
    timeouts = Timeouts(connect=1, first_token=0.2, between_tokens=0.2, total=5)

    events: list[ModelEvent] = []

    def take(event: ModelEvent) -> None:
        time.sleep(0.3)
        events.append(event)

    await services.complete(wire_request(upstream, timeouts=timeouts), take)

    assert isinstance(events[-1], Finish)


async def test_whole_answer_does_not_wait_for_ever_for_its_usage(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello", finish="stop"), ending="hang")
    started = time.monotonic()

    outcome = await ask(wire_request(upstream))

    assert outcome.failure is None
    assert outcome.text == "Hello"
    assert time.monotonic() - started < USAGE_GRACE_SECONDS + 1


async def test_text_is_fit_to_store(upstream: Upstream) -> None:
    halves = (
        b'{"choices":[{"delta":{"content":"%s"}}]}' % half for half in (b"\\ud83d", b"\\ude00")
    )
    upstream.stream(
        chunk("nul \x00 lone \ud83d."),
        *(b"data: " + half + b"\n\n" for half in halves),
        chunk("\ud83d"),
        DONE,
        pace=0.02,
    )

    outcome = await ask(wire_request(upstream))

    assert outcome.text == "nul \ufffd lone \ufffd.\U0001f600\ufffd"


async def test_unforeseen_error_is_logged_without_what_it_quotes(upstream: Upstream) -> None:
    upstream.stream(event({"choices": ["a private text"]}))

    with capture_logs() as logs:
        outcome = await ask(wire_request(upstream))

    assert type(outcome.failure) is ProviderFailed
    assert outcome.failure.__suppress_context__
    (log,) = [entry for entry in logs if entry["event"] == "model provider broke"]
    assert log["error"] == "AttributeError"
    assert "openai_response.py" in log["stack"]
    assert "a private text" not in str(logs)


async def test_cancelled_consumer_stays_cancelled() -> None:
    task = asyncio.create_task(ask(sandbox_request("silent", "Hi")))
    await asyncio.sleep(0.05)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_many_streams_at_once_do_not_mix(upstream: Upstream) -> None:
    outcomes = await asyncio.gather(
        *(ask(sandbox_request("echo", f"number {number}")) for number in range(100)),
        *(ask(wire_request(upstream)) for _ in range(100)),
    )

    assert [outcome.text for outcome in outcomes[:100]] == [
        f"Echo: number {number}" for number in range(100)
    ]
    assert {outcome.text for outcome in outcomes[100:]} == {"Hello world"}
    assert all(isinstance(outcome.usage, Usage) for outcome in outcomes)


async def test_warming_a_catalogue_without_litellm_is_instant() -> None:
    await services.preload_providers({"sandbox", "openai-wire"})
    await services.preload_providers(set())


def test_importing_the_services_imports_no_client() -> None:
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import apps.llm.services, apps.llm.catalogue"],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "apps.llm.services" in imported
    clients = ("aiohttp", "litellm", "openai")
    assert not {name for name in imported if name.split(".")[0] in clients}
