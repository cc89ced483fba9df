"""Embedding models through litellm, which is real; the provider is a fake server."""

from __future__ import annotations

from typing import Any

import pytest

from apps.llm.embeddings.services import embed
from apps.llm.errors import InputRefused, ProviderError, ProviderFailed, ProviderUnavailable
from tests.llm.embeddings.fake_server import FakeEmbeddingServer, Reply, answer_body, vector_of
from tests.llm.embeddings.test_openai_compatible import assert_places, request_to

# An error instead of litellm's own warnings would leave it half imported, for all later tests.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:litellm"),
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
]


def litellm_request(server: FakeEmbeddingServer, *texts: str) -> Any:
    return request_to(server, *texts, provider="litellm", model="openai/tiny")


async def test_texts_become_vectors(server: FakeEmbeddingServer) -> None:
    server.answer = lambda body: Reply(
        answer_body([vector_of(text) for text in body["input"]], prompt_tokens=5, total_tokens=5)
    )
    embeddings = await embed(litellm_request(server, "one", "three"))
    assert_places(embeddings, "one", "three")
    assert embeddings.input_tokens == 5
    assert server.requests[0].headers["Authorization"] == "Bearer none"


@pytest.mark.parametrize(
    ("status", "kind", "retry_after"),
    [
        (400, InputRefused, None),
        (401, ProviderFailed, None),
        (429, ProviderUnavailable, 7),
        (503, ProviderUnavailable, 7),
    ],
)
async def test_errors_are_mapped(
    server: FakeEmbeddingServer, status: int, kind: type[ProviderError], retry_after: float | None
) -> None:
    body = {"error": {"message": "a private text", "type": "x"}}
    server.answer = lambda _: Reply(body, status, {"Retry-After": "7"})
    with pytest.raises(ProviderError) as raised:
        await embed(litellm_request(server, "a private text"))
    assert (type(raised.value), raised.value.retry_after) == (kind, retry_after)
    assert "a private text" not in raised.value.detail
    assert raised.value.__suppress_context__
