"""Stream formats: how a turn's events are written to an HTTP stream."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from apps.chat.ai_sdk import stream as ai_sdk
from apps.chat.engine.events import TurnEvent
from apps.chat.engine.log import TurnLog
from apps.chat.http import sse
from apps.core.errors import ValidationFailed


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """`encode` turns the event of a number into bytes; `headers` identify the format."""

    encode: Callable[[int, TurnEvent], bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


PARLEY = StreamFormat(sse.encode_event)
AI_SDK = StreamFormat(ai_sdk.encode_event, ai_sdk.HEADERS)


def get_stream_format(name: str) -> StreamFormat:
    """The format of this name. Raises ValidationFailed."""
    if name != "ai-sdk":
        raise ValidationFailed({"protocol": ["This must be ai-sdk, or be left out."]})
    return AI_SDK


async def encode_stream(
    log: TurnLog, stream_format: StreamFormat = PARLEY, *, after: int = 0
) -> AsyncGenerator[bytes, None]:
    """The log's events after number `after` as server-sent events, to the end of the turn.

    Events that came together are one chunk; a heartbeat fills STREAM_HEARTBEAT_SECONDS of silence.
    """
    number = after
    async for events in log.follow(after=after, idle_seconds=settings.STREAM_HEARTBEAT_SECONDS):
        frames = []
        for event in events:
            number += 1
            frames.append(stream_format.encode(number, event))
        yield b"".join(frames) or sse.HEARTBEAT
    yield sse.DONE
