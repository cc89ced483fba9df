"""How the reader of OpenAI's wire tells of a server that refuses, breaks or is not there."""

from __future__ import annotations

import pytest

from apps.llm.errors import ProviderError, ProviderFailed, ProviderUnavailable
from apps.llm.types import Finish
from tests.llm.completion_helpers import ask, wire_request
from tests.llm.fake_provider import Script, Upstream, chunk, event, whole


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
async def test_status_decides_the_failure(
    upstream: Upstream, status: int, kind: type[ProviderError], retryable: bool
) -> None:
    # The long Retry-After keeps our own retries out of this test.
    upstream.play(whole({"error": {"message": "no"}}, status=status, Retry_After="60"))

    failure = (await ask(wire_request(upstream))).failure

    assert type(failure) is kind
    assert (failure.retryable, failure.retry_after) == (retryable, 60.0 if retryable else None)
    assert len(upstream.requests) == 1


async def test_spent_quota_is_not_retried(upstream: Upstream) -> None:
    upstream.play(whole({"error": {"code": "insufficient_quota"}}, status=429))

    failure = (await ask(wire_request(upstream))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert not failure.retryable
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        (Script(status=404, pieces=(b"nope",)), "the api base is wrong"),
        (Script(status=401, pieces=(b"",)), "names no variable"),
        (Script(headers={"Content-Type": "text/html"}, pieces=(b"<html>",)), "a web page"),
    ],
)
async def test_detail_tells_the_operator_what_to_mend(
    upstream: Upstream, script: Script, hint: str
) -> None:
    upstream.play(script)

    failure = (await ask(wire_request(upstream))).failure

    assert isinstance(failure, ProviderFailed)
    assert hint in failure.detail


async def test_detail_never_quotes_the_provider(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-very-secret")
    said = {"message": "Incorrect key sk-very-secret for: Greet me.", "code": "sk-very-secret"}
    upstream.play(whole({"error": said}, status=401))

    failure = (await ask(wire_request(upstream, api_key_env="TEST_MODEL_KEY"))).failure

    assert failure is not None
    assert failure.detail == "tiny: the provider answered 401: it refused the key in TEST_MODEL_KEY"


async def test_error_in_the_middle_keeps_the_text_before_it(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello"), event({"error": {"message": "oops", "code": "overloaded"}}))

    outcome = await ask(wire_request(upstream))

    assert outcome.text == "Hello"
    assert type(outcome.failure) is ProviderFailed
    assert outcome.failure.detail == "tiny: the provider reported an error (overloaded)"


async def test_error_with_a_status_in_a_good_response_means_that_status(
    upstream: Upstream,
) -> None:
    limited = Script(pieces=(event({"error": {"message": "slow down", "code": 429}}),))
    upstream.play(limited, Script())

    outcome = await ask(wire_request(upstream))

    assert outcome.text == "Hello world"
    assert len(upstream.requests) == 2


async def test_cut_answer_is_an_error(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello"), ending="end")
    ended = await ask(wire_request(upstream))
    upstream.stream(chunk("Hello"), ending="cut")
    cut = await ask(wire_request(upstream))

    assert (ended.text, type(ended.failure)) == ("Hello", ProviderFailed)
    assert (cut.text, type(cut.failure)) == ("Hello", ProviderFailed)


async def test_cut_after_the_finish_reason_does_no_harm(upstream: Upstream) -> None:
    upstream.stream(chunk("Hello", finish="stop"), ending="cut")

    outcome = await ask(wire_request(upstream))

    assert outcome.failure is None
    assert outcome.finish == Finish("stop")


async def test_reset_before_the_first_byte_is_tried_again(upstream: Upstream) -> None:
    upstream.play(Script(ending="refuse"), Script())

    outcome = await ask(wire_request(upstream))

    assert outcome.text == "Hello world"
    assert len(upstream.requests) == 2


async def test_nobody_listening_is_unavailable(unused_tcp_port: int, upstream: Upstream) -> None:
    base = f"http://127.0.0.1:{unused_tcp_port}/v1"

    failure = (await ask(wire_request(upstream, api_base=base))).failure

    assert isinstance(failure, ProviderUnavailable)
    assert failure.retryable
    assert base in failure.detail


@pytest.mark.parametrize("base", ["nonsense", "ftp://127.0.0.1/v1", ""])
async def test_api_base_that_is_no_address_is_an_error(upstream: Upstream, base: str) -> None:
    failure = (await ask(wire_request(upstream, api_base=base))).failure

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
async def test_broken_stream_is_an_error(upstream: Upstream, piece: bytes) -> None:
    upstream.stream(chunk("Hello"), piece, ending="hang")

    outcome = await ask(wire_request(upstream))

    assert outcome.text == "Hello"
    assert type(outcome.failure) is ProviderFailed
