"""What every provider has in common: sanitized text, time-outs, retries, cancellation."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from apps.llm import services
from apps.llm.errors import ProviderFailed, ProviderTimeout, ProviderUnavailable
from apps.llm.types import Finish, TextDelta, Timeouts, Usage
from tests.llm.completion_helpers import complete, openai_request, sandbox_request
from tests.llm.fake_provider import (
    DONE,
    FakeProvider,
    Script,
    chunk,
    json_script,
    serve,
    sse_event,
    streamed_answer,
    usage,
)

ROOT = Path(__file__).resolve().parents[2]


def busy(retry_after: str = "0.01") -> Script:
    return json_script({"error": {"message": "busy"}}, status=503, Retry_After=retry_after)


async def test_transient_failures_are_retried_twice(server: FakeProvider) -> None:
    server.play(busy(), busy(), Script())

    outcome = await complete(openai_request(server))

    assert outcome.text == "Hello world"
    assert len(server.requests) == 3


async def test_failed_attempt_leaves_no_usage(server: FakeProvider) -> None:
    overloaded = sse_event({"error": {"type": "overloaded_error"}})
    server.play(
        Script((usage(500, 400), overloaded)),
        Script((chunk("Hello"), chunk(" world"), DONE)),
    )

    outcome = await complete(openai_request(server))

    assert (outcome.text, outcome.usage, outcome.finish) == (
        "Hello world",
        Usage(4, 2),
        Finish("stop"),
    )


async def test_third_failure_is_raised(server: FakeProvider) -> None:
    server.play(busy())

    outcome = await complete(openai_request(server))

    assert isinstance(outcome.failure, ProviderUnavailable)
    assert outcome.failure.retry_after == 0.01
    assert len(server.requests) == 3


async def test_backoff_grows_without_retry_after(server: FakeProvider) -> None:
    """At least 0.125 s before the first retry, and 0.25 s before the second."""
    server.play(json_script({}, status=503))
    counts: list[int] = []
    for seconds in (0.12, 0.37):
        asyncio.get_running_loop().call_later(seconds, lambda: counts.append(len(server.requests)))

    await complete(openai_request(server))

    assert (len(counts), len(server.requests)) == (2, 3)
    assert [count <= most for count, most in zip(counts, (1, 2), strict=True)] == [True, True]


async def test_long_retry_after_is_not_retried(server: FakeProvider) -> None:
    server.play(busy("6"))

    outcome = await complete(openai_request(server))

    assert outcome.failure is not None
    assert outcome.failure.retry_after == 6
    assert len(server.requests) == 1


async def test_no_retry_past_the_first_token_deadline(server: FakeProvider) -> None:
    server.play(busy("3"))
    timeouts = Timeouts(connect=1, first_token=2, between_tokens=1, total=5)

    outcome = await complete(openai_request(server, timeouts=timeouts))

    assert isinstance(outcome.failure, ProviderUnavailable)
    assert len(server.requests) == 1


async def test_no_retry_after_the_first_token(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), sse_event({"error": {"code": 503}}))

    outcome = await complete(openai_request(server))

    assert (outcome.text, type(outcome.failure)) == ("Hello", ProviderUnavailable)
    assert len(server.requests) == 1


async def test_no_retry_after_reasoning_has_started(server: FakeProvider) -> None:
    server.stream(chunk(reasoning_content="Hm."), sse_event({"error": {"code": 503}}), pace=0.02)

    assert (await complete(openai_request(server))).failure is not None
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "timeouts", "detail", "text"),
    [
        pytest.param(
            Script(delay=30), Timeouts(1, 0.2, 1, 5), "no first token within 0.2 s", "", id="first"
        ),
        pytest.param(
            Script(pieces=(chunk("Hello"),), ending="hang"),
            Timeouts(1, 5, 0.2, 5),
            "no further token within 0.2 s",
            "Hello",
            id="between",
        ),
        pytest.param(
            Script(pieces=(b": working\n\n",) * 1000, pace=0.1),
            Timeouts(1, 5, 1, 0.35),
            "the answer was not complete after 0.35 s",
            "",
            id="total",
        ),
    ],
)
async def test_timeouts(
    server: FakeProvider, script: Script, timeouts: Timeouts, detail: str, text: str
) -> None:
    server.play(script)

    outcome = await complete(openai_request(server, timeouts=timeouts))

    assert isinstance(outcome.failure, ProviderTimeout)
    assert outcome.failure.detail == detail
    assert re.fullmatch(text, outcome.text)
    assert len(server.requests) == 1
    await server.wait_for_close()


async def test_total_timeout_ends_an_answer_like_its_limit(server: FakeProvider) -> None:
    server.stream(*(chunk("o"),) * 1000, pace=0.1)

    outcome = await complete(openai_request(server, timeouts=Timeouts(1, 5, 1, 0.35)))

    assert (outcome.failure, outcome.finish) == (None, Finish("length"))
    assert outcome.usage.output_tokens == len(outcome.text) > 0
    await server.wait_for_close()


async def test_total_timeout_while_thinking_counts_the_reasoning(server: FakeProvider) -> None:
    server.stream(*(chunk(reasoning_content="Hm. "),) * 1000, pace=0.1)

    outcome = await complete(openai_request(server, timeouts=Timeouts(1, 5, 1, 0.35)))

    assert (outcome.failure, outcome.finish, outcome.text) == (None, Finish("length"), "")
    assert outcome.usage.output_tokens > 0


SIGNS_OF_LIFE = {
    "reasoning": chunk(reasoning_content="Hm."),
    "thinking": chunk(content=[{"type": "thinking", "thinking": "Hm."}]),
    "details": chunk(reasoning_details=[{"type": "reasoning.text"}]),
    "empty delta": chunk(),
    "role": chunk("", role="assistant"),
    "no choices": sse_event({"choices": []}),
    "comment": b": working\n\n",
    "ping": b'event: ping\ndata: {"type": "ping"}\n\n',
}


async def test_any_sign_of_life_restarts_the_timeouts() -> None:
    timeouts = Timeouts(connect=1, first_token=0.6, between_tokens=0.6, total=5)

    async def answer_after(sign: bytes) -> str:
        async with serve() as server:
            server.stream(*(sign,) * 16, *streamed_answer("Hello"), pace=0.05)
            return (await complete(openai_request(server, timeouts=timeouts))).text

    answers = await asyncio.gather(*map(answer_after, SIGNS_OF_LIFE.values()))
    await services.close_clients()

    assert dict(zip(SIGNS_OF_LIFE, answers, strict=True)) == dict.fromkeys(SIGNS_OF_LIFE, "Hello")


async def test_sign_of_life_does_not_shorten_the_wait_for_the_first_token(
    server: FakeProvider,
) -> None:
    server.stream(b": working\n\n", b"".join(streamed_answer("Hello")), pauses={1: 0.5})
    timeouts = Timeouts(connect=1, first_token=5, between_tokens=0.2, total=9)

    assert (await complete(openai_request(server, timeouts=timeouts))).text == "Hello"


async def test_finish_reason_of_the_reasoning_does_not_end_the_answer(server: FakeProvider) -> None:
    thoughts = chunk(reasoning_content="Hm.", finish="stop")
    server.stream(thoughts, b"".join(streamed_answer("Hello")), pauses={1: 2.2})

    outcome = await complete(openai_request(server))

    assert (outcome.text, outcome.finish) == ("Hello", Finish("stop"))


async def test_slow_handler_does_not_time_out(server: FakeProvider) -> None:
    server.stream(*streamed_answer("a", "b", "c"), pace=0.02)
    timeouts = Timeouts(connect=1, first_token=0.2, between_tokens=0.2, total=5)

    deltas: list[str] = []

    def on_delta(delta: TextDelta) -> None:
        time.sleep(0.3)
        deltas.append(delta.text)

    completion = services.Completion(openai_request(server, timeouts=timeouts), on_delta)
    await completion.run()

    assert ("".join(deltas), completion.finish_reason) == ("abc", "stop")


async def test_complete_answer_waits_briefly_for_its_usage(server: FakeProvider) -> None:
    """Neither until the server ends the response nor until the longer time-outs."""
    server.stream(chunk("Hello", finish="stop"), ending="hang")
    timeouts = Timeouts(connect=2, first_token=3600, between_tokens=3600, total=3600)

    outcome = await complete(openai_request(server, timeouts=timeouts))

    assert outcome.failure is None
    assert outcome.text == "Hello"
    await server.wait_for_close()


async def test_text_is_sanitized(server: FakeProvider) -> None:
    halves = (
        b'{"choices":[{"delta":{"content":"%s"}}]}' % half for half in (b"\\ud83d", b"\\ude00")
    )
    server.stream(
        chunk("nul \x00 lone \ud83d."),
        *(b"data: " + half + b"\n\n" for half in halves),
        chunk("\ud83d"),
        DONE,
        pace=0.02,
    )

    outcome = await complete(openai_request(server))

    assert outcome.text == "nul \ufffd lone \ufffd.\U0001f600\ufffd"


async def test_unexpected_error_is_logged_without_its_message(server: FakeProvider) -> None:
    server.stream(*streamed_answer("a private text"))

    def break_down(delta: TextDelta) -> None:
        raise ZeroDivisionError(delta.text)

    with capture_logs() as logs, pytest.raises(ProviderFailed) as raised:
        await services.Completion(openai_request(server), break_down).run()

    assert raised.value.__suppress_context__
    (log,) = [entry for entry in logs if entry["event"] == "model provider broke"]
    assert log["error"] == "ZeroDivisionError"
    assert "openai_response.py" in log["stack"]
    assert "a private text" not in str(logs)


async def test_ended_completion_lets_go_of_its_handler() -> None:
    """Whoever holds the completion is freed at once, not by the next garbage collection."""

    class Holder:
        def __init__(self) -> None:
            self.completion = services.Completion(sandbox_request("echo", "Hi"), self.on_delta)

        def on_delta(self, delta: TextDelta) -> None: ...

    holder = Holder()
    await holder.completion.run()
    freed = weakref.ref(holder)
    del holder

    assert freed() is None


async def test_cancellation_is_raised() -> None:
    task = asyncio.create_task(complete(sandbox_request("silent", "Hi")))
    await asyncio.sleep(0.05)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_concurrent_streams_are_separate(server: FakeProvider) -> None:
    outcomes = await asyncio.gather(
        *(complete(sandbox_request("echo", f"number {number}")) for number in range(100)),
        *(complete(openai_request(server)) for _ in range(100)),
    )

    assert [outcome.text for outcome in outcomes[:100]] == [
        f"Echo: number {number}" for number in range(100)
    ]
    assert {outcome.text for outcome in outcomes[100:]} == {"Hello world"}
    assert all(isinstance(outcome.usage, Usage) for outcome in outcomes)


async def test_preloading_without_litellm_is_instant() -> None:
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
