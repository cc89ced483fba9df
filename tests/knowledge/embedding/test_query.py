"""Questions become vectors, once each."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from apps.chatbots.models import EmbeddingModel
from apps.core.ids import new_id
from apps.knowledge.embedding import embed_query, embed_query_in_thread
from apps.llm.errors import ProviderFailed, ProviderTimeout, ProviderUnavailable
from tests.llm.embeddings.fake_server import FakeEmbeddingServer, Reply, vectors


async def test_question_is_sent_with_its_prefix(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    found = await embed_query(model, " Where is my parcel? ")
    assert server.requests[0].texts == ["query: Where is my parcel?"]
    assert (len(found.vector), found.input_tokens) == (4, 1)


async def test_repeated_question_is_remembered(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    first, second = await embed_query(model, "Hello?"), await embed_query(model, "Hello?")
    assert first.vector == second.vector
    assert (first.input_tokens, second.input_tokens) == (1, 0)
    model.id = new_id()
    assert (await embed_query(model, "Hello?")).input_tokens == 1
    assert len(server.requests) == 2


async def test_equal_questions_at_a_time_share_one_call(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    found = await asyncio.gather(*(embed_query(model, "Hello?") for _ in range(10)))
    assert sum(each.input_tokens for each in found) == 1
    assert len(server.requests) == 1


async def test_call_outlives_whoever_asked_first(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    release = threading.Event()

    def answer(body: dict[str, Any]) -> Reply:
        release.wait(60)
        return vectors(body)

    server.answer = answer
    first, second = (asyncio.create_task(embed_query(model, "Hello?")) for _ in range(2))
    async with asyncio.timeout(60):
        while not server.requests:  # noqa: ASYNC110 - a test may poll every 10 ms
            await asyncio.sleep(0.01)
    first.cancel()
    release.set()
    assert len((await second).vector) == 4
    with pytest.raises(asyncio.CancelledError):
        await first
    assert len(server.requests) == 1


async def test_failure_is_not_remembered(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.queue(Reply({}, 401))
    with pytest.raises(ProviderFailed):
        await embed_query(model, "Hello?")
    assert len((await embed_query(model, "Hello?")).vector) == 4


async def test_lost_connection_is_tried_once_more(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.queue(Reply(is_dropped=True))
    assert len((await embed_query(model, "Hello?")).vector) == 4
    server.queue(Reply(is_dropped=True), Reply(is_dropped=True))
    with pytest.raises(ProviderUnavailable):
        await embed_query(model, "Hello again?")
    assert len(server.requests) == 4


async def test_provider_that_asks_to_wait_is_not_waited_for(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    server.queue(Reply({}, 429, {"Retry-After": "30"}))
    with pytest.raises(ProviderUnavailable) as raised:
        await embed_query(model, "Hello?")
    assert raised.value.retry_after == 30
    assert len(server.requests) == 1


async def test_question_too_long_for_the_server_is_halved(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    refusal = Reply({"error": {"message": "maximum context length is 20 tokens"}}, 400)
    server.queue(refusal, refusal)
    assert len((await embed_query(model, "word " * 20)).vector) == 4
    assert len(server.requests[-1].texts[0]) < 60


async def test_slow_provider_times_out(server: FakeEmbeddingServer, model: EmbeddingModel) -> None:
    release = threading.Event()
    server.queue(Reply(wait_for=release, is_dropped=True))
    with pytest.raises(ProviderTimeout):
        await embed_query(model, "Hello?", timeout_seconds=0.1)
    release.set()


async def test_question_without_words_is_refused(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    with pytest.raises(ValueError, match="without words"):
        await embed_query(model, "  ")
    assert server.requests == []


def test_question_in_a_thread_is_remembered_and_keeps_its_connection(
    server: FakeEmbeddingServer, model: EmbeddingModel
) -> None:
    found = [embed_query_in_thread(model, text) for text in ("Hello?", "Hello?", "Bye?")]
    assert [each.input_tokens for each in found] == [1, 0, 1]
    assert (len(server.requests), len(server.clients)) == (2, 1)
