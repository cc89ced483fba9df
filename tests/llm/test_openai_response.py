"""Wherever the network cuts a stream, its answer is the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from apps.llm.providers.openai_response import CompletionParser
from apps.llm.types import ChatMessage, Finish, ModelEvent, ModelRequest, TextDelta, Timeouts, Usage
from tests.llm.fake_provider import answer

REQUEST = ModelRequest(
    "openai-wire", "tiny", (ChatMessage("user", "Hi"),), None, None, "", "", Timeouts(1, 1, 1, 1)
)
LINE_ENDINGS = (b"\n", b"\r\n", b"\r")


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` in pieces, cut at these places, wherever they fall."""
    marks = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(marks) if start < end]


def read(pieces: Sequence[bytes]) -> tuple[str, list[ModelEvent]]:
    events: list[ModelEvent] = []
    reader = CompletionParser(REQUEST, events.append)
    for piece in pieces:
        reader.feed(piece)
    reader.finish()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [event for event in events if not isinstance(event, TextDelta)]


@given(
    texts=st.lists(st.text(min_size=1), max_size=8),
    ending=st.sampled_from(LINE_ENDINGS),
    places=st.lists(st.integers(min_value=0), max_size=40),
    raw=st.booleans(),
)
def test_any_cut_gives_the_same_answer(
    texts: list[str], ending: bytes, places: list[int], raw: bool
) -> None:
    data = b": hello\n\n" + b"".join(answer(*texts))
    if raw:
        # Unescaped letters, so that cuts fall inside their UTF-8.
        data = data.replace(b'"index"', '"é語🙂": 1, "index"'.encode())
    data = data.replace(b"\n", ending)

    text, others = read(cut(data, places))

    assert text == "".join(texts)
    assert others == [Finish("stop"), Usage(7, len(texts))]


def test_letters_cut_in_the_middle_are_whole() -> None:
    payload = 'data: {"choices":[{"delta":{"content":"é語🙂"}}]}\n\ndata: [DONE]\n\n'.encode()

    for place in range(len(payload)):
        assert read([payload[:place], payload[place:]])[0] == "é語🙂"


def test_single_bytes_are_enough() -> None:
    data = b"".join(answer("Hello", " world")).replace(b"\n", b"\r\n")

    text, others = read([bytes([byte]) for byte in data])

    assert text == "Hello world"
    assert others == [Finish("stop"), Usage(7, 2)]


def test_nothing_counts_after_done() -> None:
    events: list[ModelEvent] = []
    reader = CompletionParser(REQUEST, events.append)

    assert not reader.feed(b"".join(answer("Hello")) + b"data: {nonsense}\n\n")

    assert events == [TextDelta("Hello"), Finish("stop"), Usage(7, 1)]
