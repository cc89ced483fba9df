from __future__ import annotations

import pytest

from apps.llm.http.sse_parser import MAX_EVENT_BYTES, EventTooLong, SSEParser


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"data: a\n\ndata: b\n\n", [b"a", b"b"], id="lf"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"], id="crlf"),
        pytest.param(b"data: a\r\rdata: b\r\r", [b"a", b"b"], id="cr"),
        pytest.param(b"data:a\n\ndata:  b\n\n", [b"a", b" b"], id="one-space-is-dropped"),
        pytest.param(b"data: a\ndata: b\n\n", [b"a\nb"], id="lines-are-joined"),
        pytest.param(b": hi\n\n:\nid: 1\nevent: x\ndata: a\n\n", [b"a"], id="other-fields"),
        pytest.param(b"\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"], id="more-blank-lines"),
        pytest.param(b"data\n\nretry: 5\n\ndata:\n\n", [], id="without-data"),
        pytest.param(b"data: a\n", [], id="unfinished"),
    ],
)
def test_events(stream: bytes, events: list[bytes]) -> None:
    assert SSEParser().feed(stream) == events
    by_byte = SSEParser()
    assert [data for byte in stream for data in by_byte.feed(bytes([byte]))] == events


def test_flush_completes_the_last_event() -> None:
    parser = SSEParser()

    assert parser.feed(b"data: a\n") == []
    assert parser.flush() == [b"a"]
    assert parser.flush() == []


def test_event_without_end_is_rejected() -> None:
    parser = SSEParser()
    parser.feed(b"data: " + b"x" * (MAX_EVENT_BYTES - 6))

    with pytest.raises(EventTooLong):
        parser.feed(b"x")
