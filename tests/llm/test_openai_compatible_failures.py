"""Errors of OpenAI-compatible servers: refusals, broken streams, unreachable servers."""

from __future__ import annotations

import pytest

from apps.llm.errors import ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.types import Finish
from tests.llm.completion_helpers import complete, openai_request
from tests.llm.fake_provider import FakeProvider, Script, chunk, json_script, sse_event


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (302, ProviderFailed, False),
        (400, ProviderFailed, False),
        (401, ProviderFailed, False),
        (402, ProviderUnavailable, False),
        (403, ProviderFailed, False),
        (404, ProviderFailed, False),
        (408, ProviderUnavailable, True),
        (409, ProviderUnavailable, True),
        (413, ProviderFailed, False),
        (429, ProviderUnavailable, True),
        (500, ProviderFailed, True),
        (502, ProviderUnavailable, True),
        (503, ProviderUnavailable, True),
        (504, ProviderUnavailable, True),
        (529, ProviderUnavailable, True),
    ],
)
async def test_status_is_mapped_to_an_error(
    server: FakeProvider, status: int, kind: type[ProviderError], retryable: bool
) -> None:
    # The long Retry-After prevents our own retries.
    server.play(json_script({"error": {"message": "no"}}, status=status, Retry_After="60"))

    failure = (await complete(openai_request(server))).failure

    assert type(failure) is kind
    assert (failure.retryable, failure.retry_after) == (retryable, 60.0 if retryable else None)
    assert len(server.requests) == 1


async def test_spent_quota_is_not_retried(server: FakeProvider) -> None:
    server.play(json_script({"error": {"code": "insufficient_quota"}}, status=429))

    failure = (await complete(openai_request(server))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert not failure.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        (Script(status=404, pieces=(b"nope",)), "the api base is wrong"),
        (Script(status=401, pieces=(b"",)), "names no variable"),
        (Script(headers={"Content-Type": "text/html"}, pieces=(b"<html>",)), "a web page"),
    ],
)
async def test_detail_has_a_hint_for_the_operator(
    server: FakeProvider, script: Script, hint: str
) -> None:
    server.play(script)

    failure = (await complete(openai_request(server))).failure

    assert isinstance(failure, ProviderFailed)
    assert hint in failure.detail


@pytest.mark.usefixtures("listed_keys")
async def test_detail_never_quotes_the_provider(
    server: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-very-secret")
    error = {"message": "Incorrect key sk-very-secret for: Greet me.", "code": "sk-very-secret"}
    server.play(json_script({"error": error}, status=401))

    failure = (await complete(openai_request(server, api_key_env="TEST_MODEL_KEY"))).failure

    assert failure is not None
    assert failure.detail == "tiny: the provider answered 401: it refused the key in TEST_MODEL_KEY"


async def test_error_midway_keeps_the_text_before_it(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), sse_event({"error": {"message": "oops", "code": "overloaded"}}))

    outcome = await complete(openai_request(server))

    assert outcome.text == "Hello"
    assert type(outcome.failure) is ProviderUnavailable
    assert outcome.failure.detail == "tiny: the provider reported an error (overloaded)"


async def test_error_with_status_inside_a_200_response_is_mapped(
    server: FakeProvider,
) -> None:
    limited = Script(pieces=(sse_event({"error": {"message": "slow down", "code": 429}}),))
    server.play(limited, Script())

    outcome = await complete(openai_request(server))

    assert outcome.text == "Hello world"
    assert len(server.requests) == 2


async def test_incomplete_answer_is_an_error(server: FakeProvider) -> None:
    server.stream(chunk("Hello"), ending="end")
    ended = await complete(openai_request(server))
    server.stream(chunk("Hello"), ending="cut")
    cut = await complete(openai_request(server))

    assert (ended.text, type(ended.failure)) == ("Hello", ProviderFailed)
    assert (cut.text, type(cut.failure)) == ("Hello", ProviderFailed)


async def test_connection_cut_after_the_finish_reason_is_ignored(server: FakeProvider) -> None:
    server.stream(chunk("Hello", finish="stop"), ending="cut")

    outcome = await complete(openai_request(server))

    assert outcome.failure is None
    assert outcome.finish == Finish("stop")


async def test_connection_reset_before_the_response_is_retried(server: FakeProvider) -> None:
    server.play(Script(ending="refuse"), Script())

    outcome = await complete(openai_request(server))

    assert outcome.text == "Hello world"
    assert len(server.requests) == 2


async def test_refused_connection_is_unavailable(
    unused_tcp_port: int, server: FakeProvider
) -> None:
    base = f"http://127.0.0.1:{unused_tcp_port}/v1"

    failure = (await complete(openai_request(server, api_base=base))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert failure.retryable
    assert base in failure.detail


@pytest.mark.parametrize("base", ["nonsense", "ftp://127.0.0.1/v1", ""])
async def test_invalid_api_base_is_an_error(server: FakeProvider, base: str) -> None:
    failure = (await complete(openai_request(server, api_base=base))).failure

    assert type(failure) is ProviderFailed


@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(b"data: {nonsense}\n\n", id="not-json"),
        pytest.param(b'data: "text"\n\n', id="not-an-object"),
        pytest.param(b'data: {"choices": [1]}\n\n', id="not-a-choice"),
        pytest.param(b"data: " + b"x" * 1_100_000, id="over-long"),
    ],
)
async def test_invalid_stream_is_an_error(server: FakeProvider, piece: bytes) -> None:
    server.stream(chunk("Hello"), piece, ending="hang")

    outcome = await complete(openai_request(server))

    assert outcome.text == "Hello"
    assert type(outcome.failure) is ProviderFailed
