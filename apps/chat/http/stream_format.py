"""Stream formats: how a turn's events are written to an HTTP stream."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from django.conf import settings

from apps.chat.ai_sdk import stream as ai_sdk
from apps.chat.engine.events import TurnEvent, TurnInterrupted
from apps.chat.engine.log import TurnLog
from apps.chat.http import sse
from apps.core.errors import InternalError, ValidationFailed
from apps.infrastructure.logging import get_logger

logger = get_logger(__name__)


Encode = Callable[[int, TurnEvent], bytes]
"""Turn an event into bytes. Its number counts the events of the turn from 1; that of an
interruption means nothing."""


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """`make_encoder` is called once for each stream: an encoder may remember what it has sent.

    `headers` identify the format.
    """

    make_encoder: Callable[[], Encode]
    headers: Mapping[str, str] = field(default_factory=dict)


PARLEY = StreamFormat(lambda: sse.encode_event)
AI_SDK = StreamFormat(lambda: ai_sdk.PartEncoder().encode, ai_sdk.HEADERS)


def get_stream_format(name: str) -> StreamFormat:
    """The format of this name. Raises ValidationFailed."""
    if name != "ai-sdk":
        raise ValidationFailed({"protocol": ["This must be ai-sdk, or be left out."]})
    return AI_SDK


async def encode_stream(
    log: TurnLog,
    stream_format: StreamFormat = PARLEY,
    *,
    after: int = 0,
    api_key_id: str | None = None,
) -> AsyncGenerator[bytes, None]:
    """The log's events after number `after` as server-sent events, to the end of the turn, or of
    the follower's API key.

    Events that came together are one chunk; a heartbeat fills STREAM_HEARTBEAT_SECONDS of silence.
    """
    encode = stream_format.make_encoder()
    number = after
    following = log.follow(
        after=after, idle_seconds=settings.STREAM_HEARTBEAT_SECONDS, api_key_id=api_key_id
    )
    async with aclosing(following):
        try:
            async for events in following:
                number = log.number_before(events, number)
                frames = []
                for event in events:
                    number += 1
                    frames.append(encode(number, event))
                yield b"".join(frames) or sse.HEARTBEAT
        except Exception:
            logger.exception("stream_failed")
            yield encode(number + 1, TurnInterrupted(InternalError()))
    yield sse.DONE
