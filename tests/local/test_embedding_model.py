"""The embedding server of the demo, with an engine that counts letters."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from apps.llm.embeddings.services import embed
from apps.llm.embeddings.types import EmbeddingRequest, Embeddings
from apps.llm.errors import InputRefused
from apps.llm.services import close_clients
from local.servers.embedding_model import DIMENSIONS, MAX_TEXTS, Server, api_base, build_server
from local.servers.ports import HOST
from local.servers.web import answers_ok


class Letters:
    """An engine: the first number is the text's length, the second tells questions."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.passage_may_end = threading.Event()
        self.passage_may_end.set()

    def encode(self, text: str, is_query: bool) -> list[float]:
        self.texts.append(text)
        if not is_query:
            self.passage_may_end.wait(60)
        return [float(len(text)), float(is_query), *[0.0] * (DIMENSIONS - 2)]

    def token_count(self, text: str, is_query: bool) -> int:
        return 3


@pytest.fixture
def engine() -> Letters:
    return Letters()


@pytest.fixture
def server(engine: Letters) -> Iterator[Server]:
    server = build_server(0, engine)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    engine.passage_may_end.set()
    server.shutdown()
    server.server_close()
    thread.join()


async def ask(server: Server, *texts: str) -> Embeddings:
    base = api_base(server.server_port)
    request = EmbeddingRequest("openai-wire", "e5", texts, base, "", 60, DIMENSIONS)
    try:
        return await embed(request)
    finally:
        await close_clients()


def connect_to(server: Server) -> socket.socket:
    return socket.create_connection((HOST, server.server_port))


async def test_texts_lose_their_prefix_and_become_vectors(server: Server, engine: Letters) -> None:
    found = await ask(server, "query: Hi", "passage: Hello", "Hey you", "passage: nul \x00")
    assert engine.texts == ["Hi", "Hello", "Hey you", "nul \ufffd"]
    assert found.input_tokens == 12
    assert [list(vector[:2]) for vector in found.vectors][1:] == [[1, 0]] * 3
    assert list(found.vectors[0][:2]) == pytest.approx([2 / 5**0.5, 1 / 5**0.5])


async def test_question_waits_for_no_passages(server: Server, engine: Letters) -> None:
    engine.passage_may_end.clear()
    with connect_to(server) as caller:
        body = b'{"input": ["passage: a", "passage: b"]}'
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body)
        assert len((await ask(server, "query: Hi")).vectors) == 1
        engine.passage_may_end.set()
        assert caller.recv(12) == b"HTTP/1.1 200"


async def test_too_many_texts_are_refused(server: Server, engine: Letters) -> None:
    with pytest.raises(InputRefused):
        await ask(server, *["query: Hi"] * (MAX_TEXTS + 1))
    assert engine.texts == []


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b"{}", b'{"input": [1]}', b'{"input": []}'])
def test_invalid_body_is_refused(server: Server, engine: Letters, body: bytes) -> None:
    with connect_to(server) as caller:
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body)
        assert caller.recv(12) == b"HTTP/1.1 400"
    assert engine.texts == []


def test_health_and_other_addresses(server: Server) -> None:
    base = api_base(server.server_port)
    assert answers_ok(f"{base}/health", timeout=60)
    assert answers_ok(f"{base}/models", timeout=60)
    assert not answers_ok(f"{base}/other", timeout=60)
