"""Parse HTTP/1.1 responses, however the bytes are split, and reject what is invalid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm.http.response_parser import InvalidResponse, ResponseParser

BODY = b"data: one\n\ndata: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"b\r\ndata: one\n\n\r\nE;name=value\r\ndata: [DONE]\n\n\r\n0\r\n"

COMPLETE = {
    "chunks": CHUNKED + CHUNKS + b"\r\n",
    "trailers": CHUNKED + CHUNKS + b"Server-Timing: model;dur=5\r\n\r\n",
    "length": HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY,
    "after an interim response": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    + CHUNKED
    + CHUNKS
    + b"\r\n",
}


def parse(response: bytes, positions: list[int]) -> tuple[ResponseParser, bytes]:
    parser, body, start = ResponseParser(), b"", 0
    for end in [*sorted(positions), len(response)]:
        body += b"".join(parser.feed(response[start:end]))
        start = end
    return parser, body


@pytest.mark.parametrize("name", COMPLETE)
@given(positions=st.lists(st.integers(0, 200), max_size=12))
def test_body_is_the_same_however_the_response_is_split(name: str, positions: list[int]) -> None:
    response = COMPLETE[name]
    parser, body = parse(response, [min(position, len(response)) for position in positions])
    assert (parser.status, body) == (200, BODY)
    assert parser.headers["Content-Type"] == "text/event-stream"
    assert (parser.is_complete, parser.keep_alive) == (True, True)


@pytest.mark.parametrize("name", COMPLETE)
def test_response_can_be_fed_byte_by_byte(name: str) -> None:
    parser, body = parse(COMPLETE[name], list(range(len(COMPLETE[name]))))
    assert (body, parser.is_complete, parser.keep_alive) == (BODY, True, True)


def test_body_without_length_ends_with_the_connection() -> None:
    parser, body = parse(HEAD + b"\r\n" + BODY, [])
    assert (body, parser.is_complete) == (BODY, False)
    parser.finish()
    assert (parser.is_complete, parser.keep_alive) == (True, False)


@pytest.mark.parametrize(
    ("response", "keep_alive"),
    [
        (HEAD + b"Content-Length: 0\r\n\r\n", True),
        (HEAD + b"Content-Length: 0\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", False),
        (CHUNKED + b"0\r\n\r\nHTTP/1.1 200 OK\r\n", False),
    ],
)
def test_keep_alive(response: bytes, keep_alive: bool) -> None:
    parser, _ = parse(response, [])
    assert (parser.is_complete, parser.keep_alive) == (True, keep_alive)


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"x" * 70_000,
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"-5\r\nhello\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"5\r\nhello!!",
        CHUNKED + b"f" * 5000,
        CHUNKED + b"0\r\n" + b"t" * 5000,
    ],
)
def test_invalid_response_is_rejected(response: bytes) -> None:
    with pytest.raises(InvalidResponse):
        ResponseParser().feed(response)


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        CHUNKED,
        CHUNKED + b"5\r\nhel",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"0\r\n",
        HEAD + b"Content-Length: 5\r\n\r\nhel",
    ],
)
def test_connection_ending_early_is_an_error(response: bytes) -> None:
    parser = ResponseParser()
    parser.feed(response)
    with pytest.raises(InvalidResponse):
        parser.finish()
