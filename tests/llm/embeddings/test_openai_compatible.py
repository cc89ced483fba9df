"""Servers with OpenAI's embeddings API: what is sent, and what is made of their answers."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from apps.llm.embeddings.services import embed
from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.errors import (
    InputRefused,
    ProviderError,
    ProviderFailed,
    ProviderTimeout,
    ProviderUnavailable,
)
from tests.llm.embeddings.fake_server import (
    DIMENSIONS,
    FakeEmbeddingServer,
    Reply,
    answer_body,
    serve_embeddings,
    vector_of,
    vectors,
)

GOOD = [1.0, 0.0, 0.0, 0.0]


def request_to(server: FakeEmbeddingServer, *texts: str, **changes: Any) -> EmbeddingRequest:
    request = EmbeddingRequest(
        provider="openai-wire",
        model=server.model,
        texts=texts or ("one", "three"),
        api_base=server.base_url,
        api_key_env="",
        timeout_seconds=60,
        dimensions=DIMENSIONS,
    )
    return replace(request, **changes)


def assert_places(embeddings: Embeddings, *texts: str) -> None:
    """Each vector has length 1 and the direction of its text."""
    assert len(embeddings.vectors) == len(texts)
    for found, text in zip(embeddings.vectors, texts, strict=True):
        numbers = vector_of(text)
        length = math.hypot(*numbers)
        assert list(found) == pytest.approx([number / length for number in numbers])


async def failure_of(server: FakeEmbeddingServer, *replies: Reply) -> ProviderError:
    """The error of one call, each of whose requests gets one of these replies."""
    server.queue(*replies)
    with pytest.raises(ProviderError) as raised:
        await embed(request_to(server, "a private text"))
    assert "a private text" not in raised.value.detail
    return raised.value


async def test_texts_become_unit_vectors_in_their_order(server: FakeEmbeddingServer) -> None:
    embeddings = await embed(request_to(server))
    assert_places(embeddings, "one", "three")
    assert embeddings.input_tokens == 2
    (request,) = server.requests
    assert (request.path, request.body) == (
        "/v1/embeddings",
        {"model": server.model, "input": ["one", "three"], "encoding_format": "base64"},
    )
    assert "Authorization" not in request.headers


async def test_key_is_sent_to_its_server_alone(
    server: FakeEmbeddingServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_MODEL_KEY", "sk-secret")
    settings.MODEL_API_KEYS = {"TEST_MODEL_KEY": (server.base_url,)}
    with capture_logs() as logs:
        await embed(request_to(server, api_key_env="TEST_MODEL_KEY"))
    assert server.requests[0].headers["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in str(logs)
    settings.MODEL_API_KEYS = {"TEST_MODEL_KEY": ("https://api.example.com",)}
    with pytest.raises(ProviderUnavailable, match="may not be sent to"):
        await embed(request_to(server, api_key_env="TEST_MODEL_KEY"))
    assert len(server.requests) == 1


async def test_answer_is_sorted_by_its_indexes(server: FakeEmbeddingServer) -> None:
    body = answer_body([vector_of("three"), vector_of("one")])
    body["data"] = [
        {**item, "index": index}
        for item, index in zip(body["data"], (1, 0), strict=True)  # type: ignore[call-overload]
    ]
    server.queue(Reply(body))
    assert_places(await embed(request_to(server)), "one", "three")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([{"embedding": vector_of("one")}], id="no-index"),
        pytest.param([{"index": 7, "embedding": vector_of("one")}], id="odd-index"),
        pytest.param([{"index": 0, "embedding": [vector_of("one")]}], id="nested"),
    ],
)
async def test_odd_answers_are_understood(server: FakeEmbeddingServer, data: object) -> None:
    server.queue(Reply({"data": data}))
    assert_places(await embed(request_to(server, "one")), "one")


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": 0}, {"prompt_tokens": 10**9}, {"x": None}])
async def test_missing_or_impossible_usage_is_estimated(
    server: FakeEmbeddingServer, usage: dict[str, object]
) -> None:
    server.queue(Reply(answer_body([GOOD], **usage)))
    assert (await embed(request_to(server, "x" * 40))).input_tokens == 10


@pytest.mark.parametrize("status", [400, 422])
async def test_server_without_base64_is_asked_for_floats(
    server: FakeEmbeddingServer, status: int
) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        if "encoding_format" in body:
            return Reply({"error": {"message": "unreadable"}}, status=status)
        return vectors(body)

    server.answer = answer
    for _ in range(2):
        assert_places(await embed(request_to(server, "one")), "one")
    assert ["encoding_format" in each.body for each in server.requests] == [True, False, False]


async def test_shorter_vectors_are_asked_for(server: FakeEmbeddingServer) -> None:
    server.answer = lambda body: vectors(body, body.get("dimensions", 8))
    for _ in range(2):
        assert_places(await embed(request_to(server, "one")), "one")
    assert [each.body.get("dimensions") for each in server.requests] == [None, 4, 4]


@pytest.mark.parametrize("found", [2, 8])
async def test_other_dimensions_are_refused_with_both_numbers(
    server: FakeEmbeddingServer, found: int
) -> None:
    server.answer = lambda body: vectors(body, found)
    error = await failure_of(server)
    dimensions = f"its vectors have {found} dimensions, and the catalogue says 4"
    assert error.detail == f"{server.model}: {dimensions}"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (answer_body([[0.0] * 4]), "a vector of zeros"),
        (answer_body([[math.nan, 1.0, 0.0, 0.0]]), "not finite"),
        (answer_body([[math.inf, 1.0, 0.0, 0.0]]), "not finite"),
        (answer_body([["a", "b", "c", "d"]]), "no vector"),
        (answer_body([None]), "no vector"),
        (answer_body(["AAAA"]), "cut"),
        (answer_body(["no base64!"]), "cut"),
        (answer_body([]), "0 vectors for 1 texts"),
        (answer_body([GOOD, GOOD]), "2 vectors for 1 texts"),
        ({"data": ["x"]}, "no vector"),
        ({}, "no vectors"),
        (b"<html>Welcome</html>", "a web page"),
        (b"no JSON", "no vectors"),
        ({"error": {"message": "a private text", "code": "broken_model"}}, "broken_model"),
        ({"base_resp": {"status_code": 1002}}, "the provider reported an error"),
    ],
)
async def test_invalid_answer_is_an_error(
    server: FakeEmbeddingServer, body: object, message: str
) -> None:
    error = await failure_of(server, Reply(body))
    assert message in error.detail


async def test_wrongly_numbered_vectors_are_refused(server: FakeEmbeddingServer) -> None:
    data = [{"index": 1, "embedding": GOOD}, {"index": 1, "embedding": GOOD}]
    server.queue(Reply({"data": data}))
    with pytest.raises(ProviderFailed, match="numbered its vectors wrongly"):
        await embed(request_to(server))


@pytest.mark.parametrize(
    ("status", "kind", "message", "retryable"),
    [
        (401, ProviderFailed, "it wants a key", False),
        (402, ProviderUnavailable, "no credit left", False),
        (404, ProviderFailed, "does not know this model", False),
        (429, ProviderUnavailable, "answered 429", True),
        (500, ProviderFailed, "answered 500", True),
        (503, ProviderUnavailable, "answered 503", True),
        (307, ProviderFailed, "redirects are not followed", False),
    ],
)
async def test_statuses_are_mapped(
    server: FakeEmbeddingServer,
    status: int,
    kind: type[ProviderError],
    message: str,
    retryable: bool,
) -> None:
    body = {"error": {"message": "a private text"}}
    error = await failure_of(server, Reply(body, status, {"Retry-After": "7"}))
    assert type(error) is kind
    assert message in error.detail
    assert error.retryable is retryable
    assert error.retry_after == (7 if retryable else None)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "text", "says_too_long"),
    [
        (400, "This model's maximum context length is 8192 tokens, you requested 9000", True),
        (413, "`inputs` must have less than 512 tokens. Given: 700", True),
        (500, "input is too large to process. increase the physical batch size", True),
        (413, "input batch size 100 > maximum allowed batch size 64", False),
        (400, "batch size is invalid, it should not be larger than 10.", False),
        (422, "what is this", False),
    ],
)
async def test_refused_texts_are_told_apart(
    server: FakeEmbeddingServer, status: int, text: str, says_too_long: bool
) -> None:
    refusal = Reply({"error": {"message": text, "type": "invalid_request_error"}}, status=status)
    error = await failure_of(server, refusal, refusal)
    assert isinstance(error, InputRefused)
    assert (error.says_too_long, error.retryable) == (says_too_long, False)
    assert text not in error.detail


async def test_dropped_connection_may_be_tried_again(server: FakeEmbeddingServer) -> None:
    error = await failure_of(server, Reply(is_dropped=True))
    assert isinstance(error, ProviderUnavailable)
    assert error.retryable is True


async def test_absent_server_is_unavailable() -> None:
    with serve_embeddings() as server:
        pass
    with pytest.raises(ProviderUnavailable, match="no connection") as raised:
        await embed(request_to(server))
    assert raised.value.retryable is True


async def test_slow_server_times_out(server: FakeEmbeddingServer) -> None:
    release = threading.Event()
    server.queue(Reply(wait_for=release, is_dropped=True))
    with pytest.raises(ProviderTimeout, match=r"no vectors within 0\.1 s"):
        await embed(request_to(server, timeout_seconds=0.1))
    release.set()


async def test_connection_is_reused(server: FakeEmbeddingServer) -> None:
    for number in range(3):
        await embed(request_to(server, f"text {number}"))
    assert len(server.clients) == 1
