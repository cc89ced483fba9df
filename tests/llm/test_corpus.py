"""What model servers really send, each whole, byte by byte, and cut at every position.

A reader makes of it the answer, or one clear error, or, when it is cut, a failure. It never loses
text, and never takes a part for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from apps.llm import services
from apps.llm.errors import ContentFiltered, ProviderError
from apps.llm.metering import UsageMeter
from apps.llm.providers.openai_response import CompletionParser
from apps.llm.think_tags import ThinkTagFilter
from apps.llm.types import (
    ChatMessage,
    Finish,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    Timeouts,
    UsageReport,
)
from tests.llm.completion_helpers import Outcome, complete, openai_request
from tests.llm.corpus_files import STREAMS, RecordedStream, outcome_of
from tests.llm.fake_provider import serve

REQUEST = ModelRequest(
    "openai-wire",
    "tiny",
    (ChatMessage("system", "Be brief."), ChatMessage("user", "Greet me.")),
    None,
    100,
    "",
    "",
    Timeouts(1, 1, 1, 1),
)
IN_BODIES = [each for each in STREAMS if not {"status", "encoding"} & each.headers.keys()]
CUT = [each for each in IN_BODIES if each.headers.get("cut") != "unknowable"]


def parse(pieces: Iterable[bytes], *, is_cut: bool = False) -> dict[str, Any]:
    """Read a body without a socket. `is_cut`: the connection is lost at its end."""
    raw, found = [""], Outcome(finish=Finish("stop"))
    meter = UsageMeter(REQUEST)
    meter.is_asked = True

    def on_event(event: ModelEvent) -> None:
        if isinstance(event, TextDelta | ReasoningDelta):
            meter.add(event)
            raw.append(event.text if isinstance(event, TextDelta) else "")
        elif isinstance(event, UsageReport):
            meter.report(event)
        elif isinstance(event, Finish):
            found.finish = event

    parser = CompletionParser(REQUEST, on_event)
    try:
        if all(parser.feed(piece) for piece in pieces) and not (is_cut and parser.is_complete):
            parser.finish()
    except ContentFiltered:
        found.finish = Finish("content_filter")
        meter.is_asked = any(raw)
    except ProviderError as error:
        found.failure = error
    tags = ThinkTagFilter()
    # As `services.Completion` does; a half character is no text either.
    whole = "".join(raw).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    found.deltas = [tags.feed(whole), "" if found.failure else tags.flush()]
    found.usage = meter.usage
    return outcome_of(found, requests=1)


def expected_of(stream: RecordedStream) -> dict[str, Any]:
    return {name: value for name, value in stream.expected.items() if name != "requests"}


async def test_streams_over_a_socket() -> None:
    """All at once, because those that are retried take a second."""
    outcomes = await asyncio.gather(*map(request_stream, STREAMS))
    await services.close_clients()

    assert dict(outcomes) == {each.name: dict(each.expected) for each in STREAMS}


async def request_stream(stream: RecordedStream) -> tuple[str, dict[str, Any]]:
    async with serve() as server:
        server.play(stream.script)
        found = await complete(openai_request(server))
        return stream.name, outcome_of(found, len(server.requests))


@pytest.mark.parametrize("stream", IN_BODIES, ids=lambda stream: stream.name)
def test_stream_byte_by_byte(stream: RecordedStream) -> None:
    assert parse([stream.body]) == expected_of(stream)
    assert parse(bytes([byte]) for byte in stream.body) == expected_of(stream)


@pytest.mark.parametrize("stream", CUT, ids=lambda stream: stream.name)
def test_cut_stream_fails_or_is_whole(stream: RecordedStream) -> None:
    expected = expected_of(stream)
    for end in range(len(stream.body)):
        for is_cut in (False, True):
            found = parse([stream.body[:end]], is_cut=is_cut)
            assert expected["text"].startswith(found["text"].rstrip("\ufffd"))
            if "error" not in found and found["text"]:
                assert "error" not in expected
                assert found["text"] == expected["text"]
