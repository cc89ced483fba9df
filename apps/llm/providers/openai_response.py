"""What an OpenAI-compatible server answers: bytes in, model events out. Does no I/O."""

from __future__ import annotations

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
    TextDelta,
    Usage,
)

_FINISHES: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
}
_BREAKS = {"error", "abort", "insufficient_system_resource"}
_REASONING = ("reasoning_content", "reasoning")


class CompletionParser:
    """Reads an answer in pieces of any size, cut anywhere, and tells what is in it.

    Text that arrives together leaves together, as one delta: a reader that falls behind its
    model catches up with fewer, longer deltas.

    `has_started`: something was told. `is_complete`: the answer is whole.
    """

    __slots__ = ("_over", "_request", "_sse", "_take", "has_started", "is_complete")

    def __init__(self, request: ModelRequest, take: EventHandler) -> None:
        self._request = request
        self._take = take
        self._sse = SSEParser()
        self._over = False
        self.has_started = False
        self.is_complete = False

    def feed(self, piece: bytes) -> bool:
        """Tell the events in this piece of a stream; whether more is to be read.

        Raises: ProviderError, once the server reported one or sent what cannot be read; what came
        before it has been told.
        """
        try:
            payloads = self._sse.feed(piece)
        except EventTooLong as error:
            raise ProviderFailed(f"{self._request.model}: {error}") from None
        if payloads:
            self._tell(payloads)
        return not self._over

    def finish(self) -> None:
        """Tell the events that the end of a stream completes. Raises: ProviderError."""
        if self._over:
            return
        self._tell(self._sse.flush())
        if not self.is_complete:
            raise ProviderFailed(
                f"{self._request.model}: the answer was cut before its end", retryable=True
            )

    def feed_body(self, body: bytes) -> None:
        """Tell the events of an answer that came in one piece. Raises: ProviderError."""
        chunk = _parsed(self._request, body)
        if not chunk.get("choices"):
            _raise_reported(self._request, chunk)
            raise ProviderFailed(f"{self._request.model}: the answer has no choices")
        for event in list(_chunk_events(self._request, chunk, "message")):
            self._tell_one(event)

    def _tell(self, payloads: Iterable[bytes]) -> None:
        texts: list[str] = []
        others: list[ModelEvent] = []
        alive = False
        try:
            for payload in payloads:
                if payload == b"[DONE]":
                    self.is_complete = self._over = True
                    break
                chunk = _parsed(self._request, payload)
                if text := _only_text(chunk):
                    alive = True
                    texts.append(text)
                    continue
                for event in _chunk_events(self._request, chunk, "delta"):
                    if isinstance(event, TextDelta):
                        alive = True
                        texts.append(event.text)
                    else:
                        self.is_complete = self.is_complete or isinstance(event, Finish)
                        others.append(event)
        finally:
            if alive:
                self._tell_one(TextDelta("".join(texts)))
            for event in others:
                self._tell_one(event)

    def _tell_one(self, event: ModelEvent) -> None:
        self.has_started = True
        self._take(event)


def _only_text(chunk: dict[str, Any]) -> str | None:
    """The text of a chunk that says nothing else, which is what nearly every chunk looks like."""
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
    """The code or type in an error body; "" when there is none."""
    error = parse_error_object(body)
    return next((error[name] for name in ("code", "type") if isinstance(error.get(name), str)), "")


def parse_error_object(body: bytes) -> dict[str, Any]:
    """The `error` of an error body, or the whole body where the server does not wrap it; {} when
    it is not JSON."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(parsed, dict):
        return {}
    error = parsed.get("error")
    return error if isinstance(error, dict) else parsed


def _parsed(request: ModelRequest, payload: bytes) -> dict[str, Any]:
    try:
        chunk = orjson.loads(payload)
    except ValueError:  # perhaps only half a surrogate pair, or a number that JSON does not know
        chunk = _parsed_leniently(payload)
    if not isinstance(chunk, dict):
        raise ProviderFailed(f"{request.model}: the provider sent what is no JSON object")
    return chunk


def _parsed_leniently(payload: bytes) -> Any:
    try:
        return json.loads(payload.decode("utf-8", "replace"))
    except ValueError:
        return None


def _chunk_events(request: ModelRequest, chunk: dict[str, Any], part: str) -> Iterator[ModelEvent]:
    """The events of one chunk, or of a whole answer; its text is in `part` of a choice."""
    if "error" in chunk:
        _raise_reported(request, chunk)
    choices = chunk.get("choices")
    if choices and (choice := choices[0]).get("index", 0) == 0:
        message = choice.get(part) or {}
        text = _text(message.get("content"))
        if text or any(message.get(name) for name in _REASONING):
            yield TextDelta(text)
        if reason := choice.get("finish_reason"):
            yield _finish(request, reason)
    if usage := _usage(chunk.get("usage")):
        yield usage


def _text(content: object) -> str:
    """The text of a content, which is a string, null, or a list of typed parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


def _finish(request: ModelRequest, reason: object) -> Finish:
    if reason in _BREAKS:
        raise ProviderFailed(f"{request.model}: the provider gave up ({reason})", retryable=True)
    return Finish(_FINISHES.get(str(reason), "stop"))


def _usage(report: object) -> Usage | None:
    if not isinstance(report, dict):
        return None
    counts = (report.get("prompt_tokens"), report.get("completion_tokens"))
    match counts:
        case (int(prompt), int(completion)) if prompt >= 0 and completion >= 0:
            return Usage(prompt, completion)
    return None


def _raise_reported(request: ModelRequest, chunk: dict[str, Any]) -> None:
    """Raise what an `error` object inside a good status says; null and {} say nothing."""
    error = chunk.get("error")
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()):
        raise error_from_status(request, int(code))
    named = f" ({safe_error_code(code)})" if safe_error_code(code) else ""
    raise ProviderFailed(f"{request.model}: the provider reported an error{named}")
