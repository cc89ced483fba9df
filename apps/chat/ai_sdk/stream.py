"""Encode a turn as a UI message stream of the Vercel AI SDK, so that `useChat` works.

The client builds one assistant message from parts, each a JSON object in a `data:` line, and
recognises the stream by a response header. The shapes are those of
`uiMessageChunkSchema` in the npm package `ai`, major versions 5 to 7:

    start             messageId, messageMetadata {conversationId, turnId}
    source-url        sourceId, url, title, providerMetadata.parley {number, sourceId, page, quote}
    source-document   the same with mediaType instead of url: a source that is no page
    text-start        id
    text-delta        id, delta
    text-end          id
    finish            finishReason, messageMetadata {…, usage, credits, knowledge?, sources?}
    message-metadata  the metadata of an answer that has no `finish`: stopped or failed
    abort             the turn was stopped
    error             errorText; the code is `errorCode` in the metadata

then `data: [DONE]`. A message is always sent from its start, so the parts have no numbers.
"""

from typing import Any

from apps.chat.engine.events import (
    AnswerDelta,
    SourcesFound,
    TurnEnded,
    TurnEvent,
    TurnFailed,
    TurnInterrupted,
    TurnStarted,
)
from apps.conversations.citations import AnswerSource
from apps.core.json_text import dump_json

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}

Part = dict[str, Any]

_TEXT = "text"
_QUOTE_MEDIA_TYPE = "text/plain"
"""Of a passage, whatever the type of the file that it is from."""
_METADATA = ("conversationId", "turnId", "usage", "credits", "knowledge", "sources")
_FINISH_REASONS = {"stop": "stop", "length": "length", "content_filter": "content-filter"}


class PartEncoder:
    """Encodes the events of one stream, in order from the first."""

    __slots__ = ("_has_text",)

    def __init__(self) -> None:
        self._has_text = False
        """Whether the text part has started."""

    def encode(self, number: int, event: TurnEvent) -> bytes:
        """One event as parts, as server-sent events."""
        return "".join(f"data: {dump_json(part)}\n\n" for part in self.parts(event)).encode()

    def parts(self, event: TurnEvent) -> list[Part]:
        """One event as objects."""
        match event:
            case AnswerDelta():
                delta = {"type": "text-delta", "id": _TEXT, "delta": event.text}
                return [delta] if self._has_text else [*self._start_text(), delta]
            case TurnStarted():
                ids = {"conversationId": event.conversation_id, "turnId": event.turn_id}
                return [{"type": "start", "messageId": event.message_id, "messageMetadata": ids}]
            case SourcesFound():
                return [_source_part(source) for source in event.sources]
            case TurnEnded():
                return [*self._end_text(), *_end_parts(event)]
            case TurnFailed() | TurnInterrupted():
                code = {"errorCode": event.error.code}
                return [
                    *self._end_text(),
                    {"type": "message-metadata", "messageMetadata": code},
                    {"type": "error", "errorText": event.error.message},
                ]

    def _start_text(self) -> list[Part]:
        self._has_text = True
        return [{"type": "text-start", "id": _TEXT}]

    def _end_text(self) -> list[Part]:
        return [{"type": "text-end", "id": _TEXT}] if self._has_text else []


def _source_part(source: AnswerSource) -> Part:
    """A passage that the model was shown. A source may have several, and a message needs parts with
    different ids, so the passage's number is added to the source's id."""
    kind: Part = {"type": "source-document", "mediaType": _QUOTE_MEDIA_TYPE}
    if source.url:
        kind = {"type": "source-url", "url": source.url}
    parley = {
        "number": source.number,
        "sourceId": source.source_id,
        "page": source.page,
        "quote": source.quote,
    }
    return {
        **kind,
        "sourceId": f"{source.source_id}-{source.number}",
        "title": source.title,
        "providerMetadata": {"parley": parley},
    }


def _end_parts(event: TurnEnded) -> list[Part]:
    data = event.data()
    metadata = {name: data[name] for name in _METADATA if name in data}
    if event.finish_reason == "stopped":
        return [{"type": "message-metadata", "messageMetadata": metadata}, {"type": "abort"}]
    reason = _FINISH_REASONS.get(event.finish_reason, "other")
    return [{"type": "finish", "finishReason": reason, "messageMetadata": metadata}]
