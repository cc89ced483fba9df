"""Passages become vectors, whatever the server does not take."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from apps.chatbots.models import EmbeddingModel
from apps.knowledge.embedding import embed_passages
from apps.llm.errors import InputRefused, ProviderFailed, ProviderTimeout, ProviderUnavailable
from tests.llm.embeddings.fake_server import FakeEmbeddingServer, Reply, vectors

TEXTS = [f"passage {'x' * number}" for number in range(1, 11)]


def busy(seconds: float = 0.01) -> Reply:
    return Reply({"error": {"message": "busy"}}, 429, {"Retry-After": str(seconds)})


def refuse(text: str, status: int = 400) -> Reply:
    return Reply({"error": {"message": text}}, status)


def largest_number(body: dict[str, Any], most: int) -> Reply:
    """The answer of a server that takes so many texts at once."""
    if len(body["input"]) > most:
        return refuse(f"batch size is invalid, it should not be larger than {most}.")
    return vectors(body)


def longest_text(body: dict[str, Any], most: int) -> Reply:
    """The answer of a server that takes texts of so many characters."""
    if any(len(text) > most for text in body["input"]):
        return refuse("`inputs` must have less than 512 tokens. Given: 700", 413)
    return vectors(body)


def directions(found: list[Any]) -> list[float]:
    """The number that the fake server made of each text's length."""
    return [round(vector[0] / vector[1]) for vector in found]


def test_passages_are_embedded_in_batches_with_their_prefix(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    found = embed_passages(model, TEXTS)
    sent = [text for request in server.requests for text in request.texts]
    assert sent == [f"passage: {text}" for text in TEXTS]
    assert [len(request.texts) for request in server.requests] == [4, 4, 2]
    assert directions(found.vectors) == [len(text) for text in sent]
    assert (found.input_tokens, found.cut) == (10, ())


def test_batch_is_limited_by_its_tokens(server: FakeEmbeddingServer, model: EmbeddingModel) -> None:
    model.max_input_tokens, model.batch_size = 3_000, 100
    embed_passages(model, ["word " * 2_000] * 7)
    assert [len(request.texts) for request in server.requests] == [3, 3, 1]


def test_no_passages_need_no_call(server: FakeEmbeddingServer, model: EmbeddingModel) -> None:
    assert embed_passages(model, []).vectors == []
    assert server.requests == []


def test_blank_passage_is_refused_before_any_call(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    with pytest.raises(ValueError, match="without words"):
        embed_passages(model, ["a", " \n"])
    assert server.requests == []


def test_long_passage_is_cut_between_words_and_named(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    found = embed_passages(model, ["short", "word " * 200])
    assert found.cut == (1,)
    text = server.requests[0].texts[1]
    assert len(text) <= 400
    assert text.endswith("word")


def test_busy_server_is_asked_again(server: FakeEmbeddingServer, model: EmbeddingModel) -> None:
    server.queue(*[busy()] * 3, Reply(is_dropped=True), Reply({}, 500))
    assert len(embed_passages(model, TEXTS[:2]).vectors) == 2
    assert len(server.requests) == 6


def test_waiting_provider_is_left_alone_by_all_threads(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    """Each of eight threads would ask at once; two may before the first is told to wait."""
    server.queue(busy(0.5), busy(0.5))
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda text: embed_passages(model, [text]), TEXTS[:8]):
            assert len(found.vectors) == 1
    times = [request.at for request in server.requests]
    assert len(times) == 10
    assert min(times[2:]) - times[0] > 0.4


def test_wait_beyond_the_deadline_is_an_error_at_once(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.queue(busy(3600))
    with pytest.raises(ProviderUnavailable) as raised:
        embed_passages(model, TEXTS[:2], deadline_seconds=60)
    assert raised.value.retry_after == 3600
    assert len(server.requests) == 1


def test_server_that_stays_broken_is_given_up(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.answer = lambda body: Reply({}, 500)
    with pytest.raises(ProviderFailed, match="answered 500"):
        embed_passages(model, TEXTS[:2], deadline_seconds=2)
    assert len(server.requests) <= 7


def test_error_that_will_not_pass_is_not_retried(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.answer = lambda body: Reply({}, 401)
    with pytest.raises(ProviderFailed, match="it wants a key"):
        embed_passages(model, TEXTS)
    assert len(server.requests) == 1


def test_refused_batch_is_halved_and_its_size_remembered(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    model.batch_size = 8
    server.answer = lambda body: largest_number(body, 2)
    assert len(embed_passages(model, TEXTS).vectors) == 10
    server.requests.clear()
    found = embed_passages(model, TEXTS)
    assert [len(request.texts) for request in server.requests] == [2] * 5
    assert directions(found.vectors) == [len(f"passage: {text}") for text in TEXTS]


def test_text_too_long_for_the_server_is_cut_and_named(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.answer = lambda body: longest_text(body, 120)
    found = embed_passages(model, ["a", "word " * 60, "b"])
    assert (len(found.vectors), found.cut) == (3, (1,))
    assert len(server.requests[-2].texts[-1]) <= 120


def test_refusal_for_another_reason_is_an_error(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.answer = lambda body: refuse("no such model")
    with pytest.raises(InputRefused):
        embed_passages(model, TEXTS[:4])
    assert len(server.requests) < 10


def test_deadline_ends_a_call(server: FakeEmbeddingServer, model: EmbeddingModel) -> None:
    release = threading.Event()
    server.queue(Reply(wait_for=release, is_dropped=True))
    with pytest.raises(ProviderTimeout):
        embed_passages(model, TEXTS[:4], deadline_seconds=0.5)
    release.set()
    assert len(embed_passages(model, TEXTS[:4]).vectors) == 4


def test_neither_texts_nor_answers_are_logged(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    private = Reply({"error": {"message": "you sent: a private text"}}, 503)
    server.queue(private, refuse("you sent: a private text"), refuse("you sent: a private text"))
    with capture_logs() as logs:
        embed_passages(model, ["a private text", "another"])
    assert {entry["event"] for entry in logs} == {"embedding retried", "embedding batch halved"}
    assert "private text" not in str(logs)


def test_sandbox_model_needs_no_server(db: None) -> None:
    found = embed_passages(EmbeddingModel.objects.get(name="sandbox/embed"), ["Hello", "World"])
    assert [len(vector) for vector in found.vectors] == [256, 256]
