"""Parse streamed answers, however the network splits them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from apps.llm.providers.openai_response import CompletionParser
from apps.llm.types import (
    ChatMessage,
    Finish,
    ModelEvent,
    ModelRequest,
    SignOfLife,
    TextDelta,
    Timeouts,
    UsageReport,
)
from tests.llm.fake_provider import streamed_answer

REQUEST = ModelRequest(
    "openai-wire", "tiny", (ChatMessage("user", "Hi"),), None, None, "", "", Timeouts(1, 1, 1, 1)
)
LINE_ENDINGS = (b"\n", b"\r\n", b"\r")


def split(data: bytes, positions: Sequence[int]) -> list[bytes]:
    """`data` split at these positions, modulo its length."""
    marks = [0, *sorted({position % (len(data) + 1) for position in positions}), len(data)]
    return [data[start:end] for start, end in pairwise(marks) if start < end]


def parse(pieces: Sequence[bytes]) -> tuple[str, list[ModelEvent]]:
    events: list[ModelEvent] = []
    parser = CompletionParser(REQUEST, events.append)
    for piece in pieces:
        parser.feed(piece)
    parser.finish()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [event for event in events if not isinstance(event, TextDelta | SignOfLife)]


@given(
    texts=st.lists(st.text(min_size=1), max_size=8),
    ending=st.sampled_from(LINE_ENDINGS),
    positions=st.lists(st.integers(min_value=0), max_size=40),
    raw=st.booleans(),
)
def test_answer_is_the_same_however_the_stream_is_split(
    texts: list[str], ending: bytes, positions: list[int], raw: bool
) -> None:
    data = b": hello\n\n" + b"".join(streamed_answer(*texts))
    if raw:
        # Unescaped letters, so that some are split inside their UTF-8.
        data = data.replace(b'"index"', '"é語🙂": 1, "index"'.encode())
    data = data.replace(b"\n", ending)

    text, others = parse(split(data, positions))

    assert text == "".join(texts)
    assert others == [Finish("stop"), UsageReport(7, len(texts))]


def test_characters_split_between_pieces_are_joined() -> None:
    payload = 'data: {"choices":[{"delta":{"content":"é語🙂"}}]}\n\ndata: [DONE]\n\n'.encode()

    for position in range(len(payload)):
        assert parse([payload[:position], payload[position:]])[0] == "é語🙂"


def test_stream_can_be_fed_byte_by_byte() -> None:
    data = b"".join(streamed_answer("Hello", " world")).replace(b"\n", b"\r\n")

    text, others = parse([bytes([byte]) for byte in data])

    assert text == "Hello world"
    assert others == [Finish("stop"), UsageReport(7, 2)]


def test_data_after_done_is_ignored() -> None:
    events: list[ModelEvent] = []
    parser = CompletionParser(REQUEST, events.append)

    assert not parser.feed(b"".join(streamed_answer("Hello")) + b"data: {nonsense}\n\n")

    assert events[:3] == [TextDelta("Hello"), Finish("stop"), UsageReport(7, 1)]
