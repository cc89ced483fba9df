"""Parse responses of OpenAI-compatible servers: bytes in, model events out. Does no I/O."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from apps.llm.error_mapping import error_from_status, safe_error_code
from apps.llm.errors import ProviderFailed
from apps.llm.http.sse_parser import EventTooLong, SSEParser
from apps.llm.types import (
    EventHandler,
    Finish,
    FinishReason,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    UsageReport,
)

_FINISH_REASONS: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
_FAILED_REASONS = {"error", "abort", "insufficient_system_resource"}
_REASONING_FIELDS = ("reasoning_content", "reasoning")


class CompletionParser:
    """Parses an answer from pieces of any size, split anywhere, and passes on its events.

    Texts that arrive together are passed on together, as one delta: a reader that falls behind its
    model catches up with fewer, longer deltas.

    `has_started`: an event was passed on. `is_complete`: the whole answer has come.
    """

    __slots__ = ("_is_done", "_on_event", "_request", "_sse", "has_started", "is_complete")

    def __init__(self, request: ModelRequest, on_event: EventHandler) -> None:
        self._request = request
        self._on_event = on_event
        self._sse = SSEParser()
        self._is_done = False
        self.has_started = False
        self.is_complete = False

    def feed(self, piece: bytes) -> bool:
        """Pass on the events in this piece of a stream; return whether more is to be read.

        Raises: ProviderError, once the server reports one or sends what cannot be parsed; the
        events before it have been passed on.
        """
        try:
            payloads = self._sse.feed(piece)
        except EventTooLong as error:
            raise ProviderFailed(f"{self._request.model}: {error}") from None
        if payloads:
            self._handle(payloads)
        return not self._is_done

    def finish(self) -> None:
        """Pass on the events that the end of a stream completes. Raises: ProviderError."""
        if self._is_done:
            return
        self._handle(self._sse.flush())
        if not self.is_complete:
            raise ProviderFailed(
                f"{self._request.model}: the answer was cut before its end", retryable=True
            )

    def feed_body(self, body: bytes) -> None:
        """Pass on the events of an answer that was not streamed. Raises: ProviderError."""
        chunk = _parse_chunk(self._request, body)
        if not chunk.get("choices"):
            _raise_reported_error(self._request, chunk)
            raise ProviderFailed(f"{self._request.model}: the answer has no choices")
        for event in list(_chunk_events(self._request, chunk, "message")):
            self._emit(event)

    def _handle(self, payloads: Iterable[bytes]) -> None:
        texts: list[str] = []
        others: list[ModelEvent] = []
        has_delta = False
        try:
            for payload in payloads:
                if payload == b"[DONE]":
                    self.is_complete = self._is_done = True
                    break
                chunk = _parse_chunk(self._request, payload)
                if text := _text_only(chunk):
                    has_delta = True
                    texts.append(text)
                    continue
                for event in _chunk_events(self._request, chunk, "delta"):
                    if isinstance(event, TextDelta):
                        has_delta = True
                        texts.append(event.text)
                    else:
                        self.is_complete = self.is_complete or isinstance(event, Finish)
                        others.append(event)
        finally:
            if has_delta:
                self._emit(TextDelta("".join(texts), len(texts)))
            for event in others:
                self._emit(event)

    def _emit(self, event: ModelEvent) -> None:
        self.has_started = True
        self._on_event(event)


def _text_only(chunk: dict[str, Any]) -> str | None:
    """The text of a chunk that contains nothing else, which is the form of nearly every chunk."""
    try:
        (choice,) = chunk["choices"]
        text = choice["delta"]["content"]
        if choice["index"] != 0 or choice.get("finish_reason"):
            return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if type(text) is not str or chunk.get("usage") or "error" in chunk:
        return None
    return text


def parse_error_code(body: bytes) -> str:
    """Return the code or type in an error body; "" when there is none."""
    error = parse_error_object(body)
    return next((error[name] for name in ("code", "type") if isinstance(error.get(name), str)), "")


def parse_error_object(body: bytes) -> dict[str, Any]:
    """Return the `error` of an error body, or the whole body without one; {} if it is not JSON."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    error = parsed.get("error")
    return error if isinstance(error, dict) else parsed


def _parse_chunk(request: ModelRequest, payload: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(payload)
    except ValueError:  # perhaps only half a surrogate pair, or a number that JSON does not know
        try:
            chunk = json.loads(payload.decode("utf-8", "replace"))
        except ValueError:
            chunk = None
    if not isinstance(chunk, dict):
        raise ProviderFailed(f"{request.model}: the provider sent what is no JSON object")
    return chunk


def _chunk_events(request: ModelRequest, chunk: dict[str, Any], part: str) -> Iterator[ModelEvent]:
    """The events of a chunk or of a whole answer, whose text is in `part` of a choice."""
    if "error" in chunk:
        _raise_reported_error(request, chunk)
    choices = chunk.get("choices")
    if choices and (choice := choices[0]).get("index", 0) == 0:
        message = choice.get(part) or {}
        text = _text(message.get("content"))
        if text:
            yield TextDelta(text)
        for name in _REASONING_FIELDS:
            if reasoning := _text(message.get(name)):
                yield ReasoningDelta(reasoning)
                break
        if reason := choice.get("finish_reason"):
            yield _parse_finish(request, reason)
    if usage := _parse_usage(chunk.get("usage")):
        yield usage


def _text(content: object) -> str:
    """The text of a content, which is a string, null, or a list of typed parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


def _parse_finish(request: ModelRequest, reason: object) -> Finish:
    if reason in _FAILED_REASONS:
        raise ProviderFailed(f"{request.model}: the provider gave up ({reason})", retryable=True)
    return Finish(_FINISH_REASONS.get(str(reason), "stop"))


def _parse_usage(report: object) -> UsageReport | None:
    if not isinstance(report, dict):
        return None
    return UsageReport(_count(report.get("prompt_tokens")), _count(report.get("completion_tokens")))


def _count(value: object) -> int | None:
    """A number of tokens; None for what is none. True is an int to Python."""
    return value if type(value) is int else None


def _raise_reported_error(request: ModelRequest, chunk: dict[str, Any]) -> None:
    """Raise the error that a successful response reports; null and {} are none."""
    error = chunk.get("error")
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()):
        raise error_from_status(request, int(code))
    named = f" ({safe_error_code(code)})" if safe_error_code(code) else ""
    raise ProviderFailed(f"{request.model}: the provider reported an error{named}")
