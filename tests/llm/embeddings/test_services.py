"""What all kinds of provider have in common."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from apps.llm.embeddings.sandbox import (
    SANDBOX_DIMENSIONS,
    SANDBOX_EMBEDDING_MODELS,
)
from apps.llm.embeddings.services import embed
from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.errors import ProviderFailed, ProviderTimeout, ProviderUnavailable
from tests.llm.embeddings.fake_server import FakeEmbeddingServer
from tests.llm.embeddings.test_openai_compatible import request_to

ROOT = Path(__file__).resolve().parents[3]


def sandbox(model: str, *texts: str) -> EmbeddingRequest:
    return EmbeddingRequest(
        "sandbox", f"sandbox/{model}", texts or ("Hello",), "", "", 60, SANDBOX_DIMENSIONS
    )


def likeness(embeddings: Embeddings, one: int, other: int) -> float:
    pairs = zip(embeddings.vectors[one], embeddings.vectors[other], strict=True)
    return sum(a * b for a, b in pairs)


async def test_no_texts_need_no_call(server: FakeEmbeddingServer) -> None:
    assert await embed(replace(request_to(server), texts=())) == Embeddings([], 0)
    assert server.requests == []


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\u2003"])
async def test_text_without_words_is_never_sent(server: FakeEmbeddingServer, text: str) -> None:
    with pytest.raises(ValueError, match="without words"):
        await embed(request_to(server, "one", text))
    assert server.requests == []


async def test_invalid_characters_are_replaced(server: FakeEmbeddingServer) -> None:
    await embed(request_to(server, "a\x00b \ud800c"))
    assert server.requests[0].texts == ["a\ufffdb \ufffdc"]


async def test_sandbox_places_similar_texts_near_each_other() -> None:
    texts = (
        "What is the return policy?",
        "Returns: our policy gives you 30 days to return goods.",
        "The shop opens at nine on Mondays.",
        "退货政策是什么？",
        "我们的退货政策：30天内退货",
        "?!",
    )
    found = await embed(sandbox("embed", *texts))
    assert [len(vector) for vector in found.vectors] == [SANDBOX_DIMENSIONS] * len(texts)
    assert likeness(found, 0, 1) > likeness(found, 0, 2) + 0.1
    assert likeness(found, 3, 4) > likeness(found, 3, 2) + 0.1
    assert likeness(found, 0, 0) == pytest.approx(1.0)
    assert found.input_tokens == sum(len(text.split()) for text in texts)
    assert (await embed(sandbox("embed", *texts))).vectors == found.vectors


async def test_sandbox_fails_as_scripted() -> None:
    with pytest.raises(ProviderFailed, match="as it always does"):
        await embed(sandbox("embed-fail"))
    with pytest.raises(ProviderUnavailable) as raised:
        await embed(sandbox("embed-rate-limited"))
    assert (raised.value.retryable, raised.value.retry_after) == (True, 10.0)
    with pytest.raises(ProviderTimeout):
        await embed(replace(sandbox("embed-slow"), timeout_seconds=0.05))
    with pytest.raises(ProviderFailed, match="no sandbox model"):
        await embed(sandbox("nothing"))
    assert len(SANDBOX_EMBEDDING_MODELS) == 4


def test_importing_the_services_imports_no_client() -> None:
    code = "import sys, apps.llm.embeddings.services; print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"aiohttp", "litellm", "openai", "numpy"} & set(process.stdout.split())
