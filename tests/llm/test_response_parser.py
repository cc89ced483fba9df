"""The reader of HTTP/1.1 responses: the same answer however the bytes are cut, and nothing taken
for an answer that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm.http.response_parser import InvalidResponse, ResponseParser

BODY = b"data: one\n\ndata: [DONE]\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"b\r\ndata: one\n\n\r\nE;name=value\r\ndata: [DONE]\n\n\r\n0\r\n"

WHOLE = {
    "chunks": CHUNKED + CHUNKS + b"\r\n",
    "trailers": CHUNKED + CHUNKS + b"Server-Timing: model;dur=5\r\n\r\n",
    "length": HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY,
    "after an interim response": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    + CHUNKED
    + CHUNKS
    + b"\r\n",
}


def read(response: bytes, cuts: list[int]) -> tuple[ResponseParser, bytes]:
    reader, body, at = ResponseParser(), b"", 0
    for cut in [*sorted(cuts), len(response)]:
        body += b"".join(reader.feed(response[at:cut]))
        at = cut
    return reader, body


@pytest.mark.parametrize("name", WHOLE)
@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_a_body_is_the_same_however_it_is_cut(name: str, cuts: list[int]) -> None:
    response = WHOLE[name]
    reader, body = read(response, [min(cut, len(response)) for cut in cuts])
    assert (reader.status, body) == (200, BODY)
    assert reader.headers["Content-Type"] == "text/event-stream"
    assert (reader.is_complete, reader.keep_alive) == (True, True)


@pytest.mark.parametrize("name", WHOLE)
def test_a_body_is_the_same_byte_by_byte(name: str) -> None:
    reader, body = read(WHOLE[name], list(range(len(WHOLE[name]))))
    assert (body, reader.is_complete, reader.keep_alive) == (BODY, True, True)


def test_a_body_may_last_as_long_as_its_connection() -> None:
    reader, body = read(HEAD + b"\r\n" + BODY, [])
    assert (body, reader.is_complete) == (BODY, False)
    reader.finish()
    assert (reader.is_complete, reader.keep_alive) == (True, False)


@pytest.mark.parametrize(
    ("response", "kept"),
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
def test_a_connection_is_kept_only_for_one_that_ended_well(response: bytes, kept: bool) -> None:
    reader, _ = read(response, [])
    assert (reader.is_complete, reader.keep_alive) == (True, kept)


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
def test_what_is_no_response_is_refused(response: bytes) -> None:
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
def test_a_connection_that_ends_early_breaks_its_response(response: bytes) -> None:
    reader = ResponseParser()
    reader.feed(response)
    with pytest.raises(InvalidResponse):
        reader.finish()
