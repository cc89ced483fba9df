"""The events of a turn as they are sent to another process."""

from __future__ import annotations

import json

import pytest

from apps.chat.engine.events import (
    AnswerDelta,
    NumberedEvent,
    SourcesFound,
    TurnEnded,
    TurnStarted,
    decode_event,
    encode_event,
)
from tests.chat.answer_sources import FILE, PAGE

ENDED = TurnEnded("Hello", "c1", "m1", "t1", "stop", 3, 2, 1, 99)
WITH_SOURCES = TurnEnded("Hi [1]", "c1", "m1", "t1", "stop", 3, 2, 1, 99, "found", (PAGE, FILE))


@pytest.mark.parametrize(
    "event",
    [
        TurnStarted("c1", "m1", "t1"),
        SourcesFound("nothing_found", ()),
        SourcesFound("found", (PAGE, FILE)),
        AnswerDelta("Hello"),
        ENDED,
        WITH_SOURCES,
    ],
)
def test_event_is_the_same_in_another_process(event: NumberedEvent) -> None:
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event


def test_end_from_a_process_of_an_earlier_version_is_understood() -> None:
    assert decode_event(["ended", "Hello", "c1", "m1", "t1", "stop", 3, 2, 1, 99]) == ENDED
