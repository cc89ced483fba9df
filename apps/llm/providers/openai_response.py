"""Parse responses of OpenAI-compatible servers: bytes in, model events out. Does no I/O.

Labels lie, so the bytes tell what a response is: events, one JSON object, JSON objects in lines,
or a web page.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator

from apps.llm.errors import ProviderError, ProviderFailed
from apps.llm.http.sse_parser import EventTooLong, SSEParser, is_done
from apps.llm.providers.openai_chunks import (
    Chunk,
    chunk_events,
    is_whole_answer,
    parse_chunk,
    parse_json,
    text_only,
)
from apps.llm.types import (
    EventHandler,
    Finish,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    SignOfLife,
    TextDelta,
)

MAX_BODY_BYTES = 8 * 1024 * 1024
"""The most of an answer that comes as one JSON object."""

MAX_JSON_ATTEMPTS = 100
"""How often JSON is parsed before the end of its body, in case the server does not end it."""

_BYTE_ORDER_MARK = codecs.BOM_UTF8
_BRACE = ord("{")
_GZIP = b"\x1f\x8b"
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MARKS = (_BYTE_ORDER_MARK, _GZIP, *_UTF_16_MARKS)
_SIGN_OF_LIFE = SignOfLife()
_SEPARATORS = re.compile(r"(?:\s|,|data:)*")
_DONE = re.compile(r"\[DONE\]|DONE", re.IGNORECASE)
_decoder = json.JSONDecoder()


class CompletionParser:
    """Parses an answer from pieces of any size, split anywhere, and passes on its events.

    Texts that arrive together are passed on together, as one delta: a reader that falls behind its
    model catches up with fewer, longer deltas.

    `has_started`: text or reasoning was passed on. `is_complete`: the whole answer has come.
    """

    __slots__ = (
        "_body",
        "_comes_whole",
        "_has_finished",
        "_has_resumed",
        "_has_text",
        "_head",
        "_is_done",
        "_json_attempts",
        "_on_event",
        "_request",
        "_sse",
        "has_started",
    )

    def __init__(self, request: ModelRequest, on_event: EventHandler) -> None:
        self._request = request
        self._on_event = on_event
        self._sse = SSEParser()
        self._head: bytes | None = b""
        self._body: bytearray | None = None
        self._json_attempts = 0
        self._is_done = False
        self._comes_whole = False
        self._has_finished = False
        self._has_resumed = False
        self._has_text = False
        self.has_started = False

    @property
    def is_complete(self) -> bool:
        """Whether an end of the connection here does not cut the answer short: after `[DONE]`, or
        after a finish reason of a server whose finish reasons have meant something so far."""
        return self._is_done or (self._has_finished and not self._has_resumed)

    def feed(self, piece: bytes) -> bool:
        """Pass on the events in this piece of a body; return whether more is to be read.

        Raises: ProviderError, once the server reports one or sends what cannot be parsed; the
        events before it have been passed on.
        """
        if self._head is not None:
            piece = self._detect_format(self._head + piece)
        if self._body is not None:
            self._feed_json(self._body, piece)
            return not self._is_done
        try:
            payloads = self._sse.feed(piece)
        except EventTooLong as error:
            if self.is_complete:
                return False
            raise ProviderFailed(f"{self._request.model}: {error}") from None
        self._handle(payloads)
        return not self._is_done

    def finish(self) -> None:
        """Pass on the events that the end of a body completes. Raises: ProviderError."""
        if self._is_done:
            return
        if self._body is not None:
            self._take_json(self._body)
        else:
            # What is cut in its middle is no event.
            self._handle(data for data in self._sse.flush() if is_done(data) or parse_json(data))
        if not (self._has_finished or self.is_complete):
            raise ProviderFailed(
                f"{self._request.model}: the answer was cut before its end", retryable=True
            )

    def _detect_format(self, head: bytes) -> bytes:
        """Keep the first bytes until they show the format; return what is to be parsed then."""
        if any(len(head) < len(mark) and mark.startswith(head) for mark in _MARKS):
            self._head = head
            return b""
        body = head.removeprefix(_BYTE_ORDER_MARK)
        start = body.lstrip()
        if not start:
            self._head = b""
            return b""
        self._head = None
        if start[:1] == b"<":
            raise ProviderFailed(
                f"{self._request.model}: {self._request.api_base} answered with a web page; is the "
                "api base right?"
            )
        if start[:2] == _GZIP:
            raise ProviderFailed(f"{self._request.model}: the provider sent compressed bytes")
        if start[0] in b"{[" or start[:2] in _UTF_16_MARKS:
            self._body = bytearray()
            return start
        return body

    def _feed_json(self, body: bytearray, piece: bytes) -> None:
        body += piece
        if len(body) > MAX_BODY_BYTES:
            detail = f"the answer is longer than {MAX_BODY_BYTES} bytes"
            raise ProviderFailed(f"{self._request.model}: {detail}")
        # Not every server ends a body that is complete.
        may_be_whole = piece.rstrip().endswith((b"}", b"]"))
        if may_be_whole and self._json_attempts < MAX_JSON_ATTEMPTS:
            self._json_attempts += 1
            self._take_json(body)
        else:
            self._on_event(_SIGN_OF_LIFE)

    def _take_json(self, body: bytearray) -> None:
        """Handle the JSON values at the beginning of the body, and remove them."""
        values, rest = _leading_values(body)
        if values:
            body[:] = rest.encode("utf-8", "surrogatepass")
        self._handle(values)

    def _handle(self, payloads: Iterable[bytes]) -> None:
        texts: list[str] = []
        try:
            for payload in payloads:
                if payload[0] != _BRACE and is_done(payload):
                    self._is_done = True
                    break
                try:
                    chunk = parse_chunk(self._request, payload)
                    if text := text_only(chunk):
                        texts.append(text)
                    else:
                        self._handle_events(self._events(chunk, bool(texts)), texts)
                except ProviderError:
                    # What follows a complete answer cannot spoil it.
                    if texts or not self.is_complete:
                        raise
        finally:
            if texts:
                self._emit_text(texts)
            else:
                self._on_event(_SIGN_OF_LIFE)

    def _handle_events(self, events: Iterable[ModelEvent], texts: list[str]) -> None:
        for event in events:
            if type(event) is TextDelta and event.chunks:
                texts.append(event.text)
                continue
            if texts:
                self._emit_text(texts)
            self._emit(event)

    def _events(self, chunk: Chunk, follows_text: bool) -> Iterator[ModelEvent]:
        """The events of a chunk. `follows_text`: of text that is not passed on yet."""
        if not is_whole_answer(chunk):
            yield from chunk_events(self._request, chunk)
            return
        # MiniMax ends its deltas with all of them once more.
        is_repeated = (self._has_text or follows_text) and not self._comes_whole
        for event in chunk_events(self._request, chunk):
            if is_repeated and isinstance(event, TextDelta | ReasoningDelta):
                continue
            self._comes_whole = self._comes_whole or isinstance(event, TextDelta)
            yield event
        self._has_finished = True
        self._is_done = self._body is not None

    def _emit_text(self, texts: list[str]) -> None:
        delta = TextDelta("".join(texts), len(texts))
        texts.clear()
        self._emit(delta)

    def _emit(self, event: ModelEvent) -> None:
        kind = type(event)
        if kind is TextDelta or kind is ReasoningDelta:
            self.has_started = True
            self._has_text = self._has_text or kind is TextDelta
            if self._has_finished:
                self._has_finished, self._has_resumed = False, True
        elif kind is Finish:
            self._has_finished = True
        self._on_event(event)


def _leading_values(body: bytearray) -> tuple[list[bytes], str]:
    """Split a body into the complete JSON values at its beginning, up to `[DONE]`, and the rest.

    White space, commas and `data:` between the values are skipped.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    values: list[bytes] = []
    end = 0
    while True:
        separators = _SEPARATORS.match(text, end)
        start = separators.end() if separators else end
        if _DONE.match(text, start):
            return [*values, b"[DONE]"], ""
        try:
            value, end = _decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            return values, text[end:]
        # A list: Gemini's errors, or the chunks of a server that streams nothing.
        each_value = value if isinstance(value, list) and value else [value]
        values += [json.dumps(each).encode() for each in each_value]
